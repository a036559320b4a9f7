"""Trained parts become a bundle: only such as can play a round, and all of them or none."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import yaml

from scripts import settings
from scripts.bundles import Bundle
from scripts.errors import UserError
from scripts.files import digest, write_json
from scripts.training.recipe import Recipe

NEW = ".new"  # a folder in the bundle's own, so that files can be renamed
TRIED = 8  # pictures, one of which must lead through a round
ABOUT = "# The sizes of training.yaml, written by `snakemake train` with the weights.\n"


def install(
    trained: Iterable[Path | str], bundle: Bundle, recipe: Recipe, installed: Path | str
) -> str:
    """Put trained parts into a bundle, in place of what stands there, and the recipe's sizes.

    Weights are written in float16, half of what a repository would carry otherwise; networks
    compute with them in float32 all the same. `installed` gets the digest of each file. Raises
    UserError, and leaves all as it was, if what was learnt cannot play a round. Returns what a
    person should know about that round, or "".
    """
    # What is familiar was measured of other weights.
    sizes = {name: own for name, own in bundle.settings.items() if name != "familiar"}
    new = Bundle(bundle.folder / NEW, sizes)
    shutil.rmtree(new.folder, ignore_errors=True)
    try:
        names = _write(map(Path, trained), new)
        if recipe.sizes or "familiar" in bundle.settings:
            names.append(_write_sizes(bundle, recipe, new.folder / "bundle.yaml"))
        odd = _play_a_round(new, recipe)
        _replace(names, new.folder, bundle.folder)
    except UserError as error:
        raise UserError(f"{error}\nNothing was installed; {bundle.folder}/ is as it was.") from None
    except OSError as error:
        raise UserError(
            f"{error.filename or bundle.folder}: this cannot be written ({error.strerror}). Nothing"
            f" was installed; {bundle.folder}/ is as it was."
        ) from None
    finally:
        shutil.rmtree(new.folder, ignore_errors=True)
    write_json(installed, {name: digest(bundle.folder / name) for name in names})
    return odd


def is_installed(bundle: Bundle, installed: Path | str) -> bool:
    """Whether a bundle holds just the files that `install` put there."""
    with suppress(OSError, ValueError, AttributeError):
        told = json.loads(Path(installed).read_bytes())
        return all(digest(bundle.folder / name) == known for name, known in told.items())
    return False


def _write(trained: Iterable[Path], new: Bundle) -> list[str]:
    """The parts, as they will be, in a folder of their own; their names."""
    from safetensors.torch import load_file

    from scripts.training.job import write

    new.folder.mkdir(parents=True)
    names = []
    for part in trained:
        names.append(part.name)
        if part.suffix == ".safetensors":
            weights = load_file(part).items()
            half = {n: w.half() if w.is_floating_point() else w for n, w in weights}
            write(half, new.folder / part.name)
        else:
            shutil.copyfile(part, new.folder / part.name)
    return names


def _write_sizes(bundle: Bundle, recipe: Recipe, path: Path) -> str:
    """bundle.yaml as somebody wrote it, with the recipe's sizes; its name."""
    said = {**settings.load(bundle.folder / path.name), **(recipe.sizes or {})}
    said.pop("familiar", None)
    path.write_text(ABOUT + yaml.safe_dump(said, sort_keys=False, width=100), encoding="utf-8")
    return path.name


def _play_a_round(new: Bundle, recipe: Recipe) -> str:
    """Plays a round with one of the first pictures; what a person should know about it, or "".

    Where the captioner's words are none of the painter's (it says <unk>), a caption of the dataset
    is painted: games that begin with a text can be played. Raises UserError if the captioner says
    nothing at all, or what a network computes is not a number.
    """
    from scripts import noise
    from scripts.untrusted.pictures import open_picture

    said = []
    for record in recipe.described.records()[:TRIED]:
        path = recipe.described.folder / record["picture"]
        said.append(new.captioner.describe([open_picture(path)], "cpu")[0][0].caption)
        if new.painter.read(said[-1]).words:
            break
    if not any(said):
        raise UserError(
            f"{recipe.path}: what was learnt cannot play a round: its captioner says nothing about"
            f" {path}. Let it learn longer (captioner.steps), or from more captions."
        )
    known = (each for record in recipe.painted.records() for each in record["captions"])
    caption = next(each for each in [said[-1], *known] if new.painter.read(each).words)
    new.painter.paint([caption], [noise.generator(0, "train", 1, 0)], "cpu")
    if caption == said[-1]:
        return ""
    return (
        f"{recipe.path}: the captioner says {said[-1]!r} of {path}, no word of which its painter"
        " knows, so that games of pictures will end there. Let it learn longer (captioner.steps)."
    )


def _replace(names: Iterable[str], new: Path, old: Path) -> None:
    """Moves files from one folder into another, all of them or none."""
    before = new / "before"
    before.mkdir()
    moved: list[str] = []
    try:
        for name in names:
            if (old / name).exists():
                os.replace(old / name, before / name)
            moved.append(name)
            os.replace(new / name, old / name)
    except BaseException:
        for name in moved:
            if (before / name).exists():
                os.replace(before / name, old / name)
            else:
                (old / name).unlink(missing_ok=True)
        raise
