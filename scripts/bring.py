"""Takes somebody's own picture or words into input/, where games begin: python -m scripts.bring"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

from scripts.chains import TEXT, check_image, composed
from scripts.errors import UserError
from scripts.files import digest, written
from scripts.untrusted.files import is_text
from scripts.untrusted.pictures import open_picture
from scripts.untrusted.texts import read_text
from scripts.words import tidy

WORDS = 6  # of a text, in the name of its game


def picture(path: Path | str, folder: Path | str = "input", *, dry: bool = False) -> str:
    """Copies a picture into the folder, and tells the name of its game.

    A picture that lies there already stays as it is. Raises UserError if it is no picture, or its
    name is taken by another one; with `dry`, if it had to be copied.
    """
    path, folder = Path(path).expanduser(), Path(folder)
    open_picture(path)
    if path.resolve().parent == folder.resolve():
        return composed(path.stem)
    image = _allowed(path.stem) or "picture"
    there = _taken(image, folder)
    if any(digest(other) == digest(path) for other in there):
        return image
    if there:
        raise UserError(
            f"{path}: {there[0]} has this name already and is not the same. "
            "Rename your picture, or remove the other one."
        )
    _refuse_dry(dry, path)
    with written(folder / f"{image}{path.suffix.lower()}") as part:
        shutil.copyfile(path, part)
    return image


def text(words: str, folder: Path | str = "input", *, dry: bool = False) -> str:
    """Writes a text into the folder, and tells the name of its game, which is made of its words.

    Raises UserError if there is no word in it, or its name is taken by another text.
    """
    line, folder = tidy(words), Path(folder)
    image = _allowed("-".join(re.findall(r"\w+", line.lower())[:WORDS])[:60])
    if not image:
        raise UserError("There is no word in this text; write a sentence, as “two red kites”.")
    for other in _taken(image, folder):
        if is_text(other) and read_text(other) == line:
            return image
        raise UserError(
            f"{other}: this file has the name that your text would get, and is not the same. "
            "Rename it, or begin your text with other words."
        )
    _refuse_dry(dry, line)
    with written(folder / f"{image}{TEXT}") as part:
        part.write_text(f"{line}\n", encoding="utf-8")
    read_text(folder / f"{image}{TEXT}")
    return image


def _allowed(name: str) -> str:
    """The name without what the name of a game cannot hold."""
    name = re.sub(r"[/@+{}\s]+|[^\w.() -]+", "-", composed(name)).strip("-. ")
    if name:
        check_image(name)
    return name


def _taken(image: str, folder: Path) -> list[Path]:
    """Files in the folder that the game of this name could begin with."""
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    return [folder / name for name in names if composed(os.path.splitext(name)[0]) == image]


def _refuse_dry(dry: bool, what: object) -> None:
    if dry:
        raise UserError(f"{what}: a dry run does not copy this into input/. Call without -n.")


def main() -> None:
    """Prints the name of the game that begins with a picture or a text."""
    reader = argparse.ArgumentParser(description=__doc__.split(":")[0])
    begin = reader.add_mutually_exclusive_group(required=True)
    begin.add_argument("--picture", help="a JPEG, PNG, WebP, BMP or TIFF file")
    begin.add_argument("--text", help="a sentence that the painter begins with")
    asked = reader.parse_args()
    try:
        print(picture(asked.picture) if asked.picture else text(asked.text or ""))
    except UserError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
