"""Bundles: everything that depends on training, read from models/<bundle>/."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import settings
from scripts.chains import near
from scripts.errors import UserError
from scripts.files import digest
from scripts.memory import given_back
from scripts.words import Vocabulary

if TYPE_CHECKING:
    from torch import Tensor, nn

SCHEMA = Path(__file__).parent.parent / "rules" / "schemas" / "bundle.schema.yaml"
PARTS = ("captioner", "text_encoder", "generator", "image_encoder")
WITH_WORDS = ("captioner", "text_encoder")  # the parts that have a vocabulary
GAME = ("captioner", "text_encoder", "generator")  # the parts that a game is played with


class Vocabularies(dict[str, Vocabulary]):
    """The vocabularies in a bundle's folder, by part; each is read when it is asked for.

    (A picture is described before the text encoder has been converted, if that is asked for.)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __missing__(self, part: str) -> Vocabulary:
        self[part] = Vocabulary.read(self.folder / f"{part}.txt")
        return self[part]


@dataclass(frozen=True)
class Bundle:
    """One set of networks: their sizes, and where their weights and words are."""

    folder: Path
    settings: dict[str, Any]  # bundle.yaml, as written

    @classmethod
    def read(cls, name: str, models: Path | str = "models") -> Bundle:
        """The bundle in models/<name>/. Raises UserError if there is none, or it is broken."""
        folder = Path(models) / name
        if not (folder / "bundle.yaml").is_file():
            raise UserError(_unknown(name, Path(models)))
        return cls(folder, settings.read(folder / "bundle.yaml", SCHEMA))

    @property
    def name(self) -> str:
        return self.folder.name

    def sizes(self, part: str) -> dict[str, Any]:
        """The part's section of bundle.yaml. Raises UserError if it has none."""
        if part not in self.settings:
            raise UserError(f"{self.folder}/bundle.yaml: this bundle has no {part}.")
        return self.settings[part]

    def weights(self, part: str) -> Path:
        """The part's weights, which need not be there."""
        return self.folder / f"{part}.safetensors"

    def files(self, *parts: str) -> list[Path]:
        """Weights and vocabularies of these parts, which need not be there."""
        return [
            path
            for part in parts
            for path in (self.weights(part), self.weights(part).with_suffix(".txt"))
            if path.suffix != ".txt" or part in WITH_WORDS
        ]

    def check_files(self, *parts: str) -> None:
        """Raises UserError if a file is missing which nothing makes."""
        if "official" in self.settings:
            return
        lacking = [str(path) for path in self.files(*parts) if not path.is_file()]
        if lacking:
            raise UserError(
                f"{' and '.join(lacking)}: missing. The bundle {self.name} needs its weights and "
                f"words in {self.folder}/; get them again, or play with another bundle."
            )

    def digests(self, *parts: str) -> dict[str, str]:
        """The sha256 of each of these parts' files, by the file's name."""
        return {path.name: digest(path) for path in self.files(*parts)}

    def damaged(self, part: str) -> str:
        """The message for weights that are numbers, but compute what is none."""
        path = self.weights(part)
        return f"{path}: what it computes is not a number; these weights are damaged."

    @cached_property
    def words(self) -> Vocabularies:
        """The vocabularies, by part."""
        return Vocabularies(self.folder)

    def network(self, part: str, device: str) -> nn.Module:
        """The part's network on a device, ready to use: loaded once in a process, and shared.

        Networks keep nothing of what they compute, so threads may use one at once.
        """
        path = self.weights(part)
        if not path.is_file():
            raise UserError(
                f"{path}: missing; the {part} of the bundle {self.name} has no weights."
            )
        key = (str(path.absolute()), digest(path), device)
        with _loading:
            if key not in _networks:
                with given_back():
                    _networks[key] = _as_played(part, _load(self, part).to(device), device)
            return _networks[key]


_networks: dict[tuple[str, str, str], nn.Module] = {}
_loading = threading.Lock()


def _load(bundle: Bundle, part: str) -> nn.Module:
    """Builds the network that bundle.yaml describes around the tensors in its file."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        with torch.device("meta"):  # no memory for weights that are replaced at once
            network = _build(bundle, part)
    except (TypeError, ValueError) as error:
        raise UserError(f"{bundle.folder}/bundle.yaml: {part}: {error}.") from None
    path = bundle.weights(part)
    try:
        # Copies, one by one: a tensor in the mapped file would keep all of it in memory, beside
        # what is made of its weights.
        weights = {name: _single(tensor) for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise UserError(f"{path}: these are no weights, or damaged ones ({error}).") from None
    try:
        network.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(
            f"{path}: these weights are not those of the {part} that bundle.yaml describes: {first}"
        ) from None
    return network.eval().requires_grad_(False)


def _single(tensor: Tensor) -> Tensor:
    """A copy in float32, whatever precision the numbers are kept in; whole numbers stay whole."""
    import torch

    kind = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.to(kind, copy=True)


def _as_played(part: str, network: nn.Module, device: str) -> nn.Module:
    """The same network, faster: what does not depend on the input is computed now."""
    from scripts.attngan import folded
    from scripts.captioner import quick

    if part == "generator":
        return folded.as_played(network, device)
    if part == "captioner":
        return quick.as_played(network, device)
    return network


def _build(bundle: Bundle, part: str) -> nn.Module:
    sizes = bundle.sizes(part)
    if part == "captioner":
        from scripts.captioner.network import Captioner, CaptionerConfig

        return Captioner(CaptionerConfig(vocabulary=len(bundle.words[part]), **sizes))
    if part == "text_encoder":
        from scripts.attngan.text_encoder import TextEncoder, TextEncoderConfig

        return TextEncoder(TextEncoderConfig(vocabulary=len(bundle.words[part]), **sizes))
    if part == "generator":
        from scripts.attngan.generator import Generator, GeneratorConfig

        if "features" in bundle.settings["text_encoder"]:  # words and sentence come from there
            sizes = {"sentence": bundle.settings["text_encoder"]["features"], **sizes}
        return Generator(GeneratorConfig(**sizes))
    from scripts.attngan.image_encoder import ImageEncoder, ImageEncoderConfig

    return ImageEncoder(ImageEncoderConfig(**sizes))


def present(models: Path | str = "models") -> list[str]:
    """The names of all bundles."""
    return sorted(path.parent.name for path in Path(models).glob("*/bundle.yaml"))


def _unknown(name: str, models: Path) -> str:
    bundles = present(models)
    held = f"it holds {', '.join(bundles)}" if bundles else "it holds none at all"
    close = near(name, bundles)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"{models}/ holds no bundle called {name}; {held}.{hint}"
