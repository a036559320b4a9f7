"""Turns published weights into a part of a bundle: our names, safetensors, words as text.

Everything is checked before anything is written: that a file is what it should be, that it fits the
network which bundle.yaml describes, and that words and weights belong together.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import networks
from scripts.bundles import Bundle
from scripts.downloads import digests, read_lock
from scripts.errors import UserError
from scripts.files import written
from scripts.official import names
from scripts.official.published import originals
from scripts.untrusted.checkpoints import load_checkpoint
from scripts.untrusted.pickles import load_captions_pickle, load_vocabulary_pickle
from scripts.untrusted.texts import read_yaml
from scripts.words import Vocabulary

if TYPE_CHECKING:
    from torch import Tensor, nn

State = Mapping[str, "Tensor"]

DATA_SETS = {27297: "COCO", 5450: "bird"}  # by the size of AttnGAN's vocabularies


@dataclass(frozen=True)
class Recipe:
    """What a part is made of: a table of names for each checkpoint, and where its words are."""

    tables: tuple[names.Table, ...]
    read_words: Callable[[Path], list[str]] | None = None
    first_words: tuple[str, ...] = ()  # those whose numbers the networks count on
    embedding: str = ""  # the tensor with a row for each word


RECIPES = {
    "captioner": Recipe(
        (names.CAPTIONER_ENCODER, names.CAPTIONER_DECODER),
        load_vocabulary_pickle,
        ("<pad>", "<start>", "<end>", "<unk>"),
        "decoder.embedding.weight",
    ),
    "text_encoder": Recipe(
        (names.TEXT_ENCODER,), load_captions_pickle, ("<end>",), "embedding.weight"
    ),
    "generator": Recipe((names.GENERATOR,)),
    "image_encoder": Recipe((names.IMAGE_ENCODER,)),
}


def convert(part: str, files: Sequence[Path | str], folder: Path | str, out: Path | str) -> None:
    """Writes the part's weights to `out` (.safetensors) and its words, if any, beside it (.txt).

    `files` are the published ones: the part's checkpoints in the order of its recipe, then the
    pickle with its words. `folder` holds the bundle.yaml whose sizes they must fit. A file that is
    not, byte for byte, the published one is used all the same, with a warning: weights may be
    fine-tuned, and whoever put the file there knows best. One that has changed since fetched.lock
    noted it is refused.

    The same files give the same bytes. Raises UserError, and then leaves what was there as it was.
    """
    for file in files:
        _warn_if_changed(Path(file))
    _write(Path(out), *read_published(part, files, folder))


def check(part: str, files: Sequence[Path | str], folder: Path | str, out: Path | str) -> None:
    """Does what `convert` does, but writes no more than an empty file: raises UserError as it does.

    For a rule that runs before the old weights make room for the new ones.
    """
    read_published(part, files, folder)
    Path(out).touch()


def read_published(
    part: str, files: Sequence[Path | str], folder: Path | str
) -> tuple[dict[str, "Tensor"], Vocabulary | None]:
    """The part's weights under our names, and its words if it has any. Raises UserError."""
    recipe, files = RECIPES[part], [Path(file) for file in files]
    for file in files:
        _check_locked(file)
    vocabulary = _vocabulary(recipe, files[-1]) if recipe.read_words else None
    network = _network(part, Path(folder), vocabulary)
    checkpoints = files[: len(recipe.tables)]
    return _weights(part, recipe, checkpoints, vocabulary, files[-1], network), vocabulary


def _warn_if_changed(file: Path) -> None:
    """Says so if the file is not the published one."""
    published = originals(file.parent).get(file.name)
    expected = published.digests if published else {}
    if not expected or not file.exists():
        return
    found = digests(file)
    for name, value in expected.items():
        if found[name] != value:
            print(
                f"WARNING: {file} is not the published file: its {name} is\n"
                f"    {found[name]}, not\n    {value}.\n"
                "It is used as it is. If you did not put it there yourself, delete it.",
                file=sys.stderr,
                flush=True,
            )


def _check_locked(file: Path) -> None:
    """Raises UserError if fetched.lock knows the file by another digest."""
    lock = file.parent / "fetched.lock"
    expected = read_lock(lock).get(file.name)
    if expected is None or not file.exists():
        return
    found = digests(file)["sha256"]
    if found != expected:
        raise UserError(
            f"{file}: this is not the file that {lock.name} remembers: its sha256 is {found}, not "
            f"{expected}. Delete it to have it downloaded again; or, if you put it there yourself, "
            f"delete its line in {lock}."
        )


def _vocabulary(recipe: Recipe, file: Path) -> Vocabulary:
    words = recipe.read_words(file)
    if tuple(words[: len(recipe.first_words)]) != recipe.first_words:
        raise UserError(
            f"{file}: its first words are {' '.join(words[: len(recipe.first_words)])!r} instead "
            f"of {' '.join(recipe.first_words)!r}; it belongs to another network."
        )
    return Vocabulary(tuple(words))


def _network(part: str, folder: Path, vocabulary: Vocabulary | None) -> "nn.Module":
    """The network that bundle.yaml describes: names and shapes only, without memory for weights."""
    description = read_yaml(folder / "bundle.yaml")
    return networks.described(Bundle(folder, description), part, vocabulary)


def _weights(
    part: str,
    recipe: Recipe,
    files: Sequence[Path],
    vocabulary: Vocabulary | None,
    words_file: Path,
    network: "nn.Module",
) -> dict[str, "Tensor"]:
    """All tensors of the network, from its checkpoints; raises UserError unless they fit."""
    import torch

    expected = network.state_dict()
    weights: dict[str, Tensor] = {}
    for file, table in zip(files, recipe.tables, strict=True):
        state = load_checkpoint(file)
        try:
            state = names.translate(state, table)
        except ValueError as error:
            raise UserError(
                f"{file}: this is not the {_title(part)}: {error}. "
                "Perhaps two files have each other's names."
            ) from None
        if vocabulary is not None and recipe.embedding in state:
            _check_words(file, len(state[recipe.embedding]), words_file, len(vocabulary))
        _check_shapes(file, part, state, expected, network)
        weights |= state
    counters = {name for name in expected if name.endswith("num_batches_tracked")}
    if lacking := sorted(set(expected) - set(weights) - counters):
        raise UserError(
            f"{' and '.join(map(str, files))}: this is not the whole {_title(part)} that "
            f"bundle.yaml describes: {len(lacking)} tensors are missing, {lacking[0]} for one."
        )
    for name in counters - set(weights):  # younger than the published files, and used by none
        weights[name] = torch.zeros((), dtype=torch.int64)
    cast = {
        name: weights[name].to(expected[name].dtype).clone(memory_format=torch.contiguous_format)
        for name in expected
    }
    for name, tensor in cast.items():
        if not torch.isfinite(tensor).all():
            raise UserError(
                f"{' and '.join(map(str, files))}: {name} holds values beyond what "
                f"{tensor.dtype} can hold."
            )
    return cast


def _title(part: str) -> str:
    return part.replace("_", " ")


def _check_words(file: Path, rows: int, words_file: Path, words: int) -> None:
    if rows != words:
        of = f"This is the {DATA_SETS[rows]} model: vocabulary" if rows in DATA_SETS else "It has"
        raise UserError(
            f"{file}: {of} {rows} instead of the {words} words in {words_file.name}. "
            "Both files must be of the same training."
        )


def _check_shapes(
    file: Path, part: str, state: State, expected: State, network: "nn.Module"
) -> None:
    """Raises UserError, naming what differs, if a tensor is unknown or has another shape."""
    if extra := [name for name in state if name not in expected]:
        raise UserError(
            f"{file}: this {_title(part)} is larger than bundle.yaml describes: it also has "
            f"{extra[0]}" + (f" and {len(extra) - 1} tensors more." if extra[1:] else ".")
        )
    wrong = [name for name, tensor in state.items() if tensor.shape != expected[name].shape]
    if not wrong:
        return
    hint = ""
    if part == "generator" and "first.linear.weight" in wrong:
        rows = state["first.linear.weight"].shape[0]
        width = network.config.width * rows // expected["first.linear.weight"].shape[0]
        hint = f"This is the bird model: width {width}. " if width == 32 else f"Width {width}. "
    shapes = "; ".join(
        f"{name} is {_shape(state[name])} instead of {_shape(expected[name])}" for name in wrong[:3]
    )
    raise UserError(
        f"{file}: this {_title(part)} has other sizes than bundle.yaml describes. {hint}"
        f"{len(wrong)} tensors differ: {shapes}."
    )


def _shape(tensor: "Tensor") -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"


def _write(out: Path, weights: State, vocabulary: Vocabulary | None) -> None:
    """Writes weights and words under other names and renames both, or leaves nothing."""
    from safetensors.torch import save_file

    with written(out) as part:
        save_file(dict(weights), part)
        part.chmod(0o644)  # safetensors lets nobody else read it
        _sync(part)
        if vocabulary is not None:
            with written(out.with_suffix(".txt")) as words:
                vocabulary.write(words)
                _sync(words)


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
