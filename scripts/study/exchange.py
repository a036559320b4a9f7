"""Chains in the layout of "The Telephone Game" (arXiv 2509.04438), to give and to take.

    text-first/gen-0.csv   gen-1/<filename>.png   gen-2.csv   …
    image-first/gen-0/<filename>.png   gen-1.csv   gen-2/…   …

Each CSV has the columns `filename` and `caption`. (The authors' page calls the folders
captions-first and images-first; both names are read.)
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from PIL import Image

from scripts.bundles import Bundle
from scripts.chains import TEXT
from scripts.drift.attributes import Attributes
from scripts.drift.chain import Row, measure, write_rows
from scripts.drift.pictures import Meaning
from scripts.errors import UserError
from scripts.untrusted import open_picture, read_text

FOLDERS = {"text": ("text-first", "captions-first"), "image": ("image-first", "images-first")}
ENDINGS = (".png", ".jpg")


@dataclass(frozen=True)
class Played:
    """The files of a chain: its base, and the captions and pictures of its rounds."""

    name: str
    base: Path
    texts: Sequence[Path]
    pictures: Sequence[Path]

    @property
    def first(self) -> str:
        return "text" if self.base.suffix.lower() == TEXT else "image"


def export(chains: Sequence[Played], folder: Path | str) -> None:
    """Write chains into a folder in the published layout."""
    for chain in chains:
        root = Path(folder) / FOLDERS[chain.first][0]
        stages = [*_alternating(chain)]
        if chain.first == "image":
            stages.insert(0, chain.base)
        for generation, file in enumerate(stages):
            if file.suffix.lower() == TEXT:
                _add(root / f"gen-{generation}.csv", chain.name, read_text(file))
            else:
                place = root / f"gen-{generation}" / f"{chain.name}.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                if file.suffix.lower() == ".png":
                    shutil.copyfile(file, place)
                else:
                    open_picture(file).save(place)


def _alternating(chain: Played) -> Sequence[Path]:
    """Caption, picture, caption …; a text-first chain's first caption is its base text."""
    return [file for pair in zip(chain.texts, chain.pictures, strict=True) for file in pair]


def _add(table: Path, name: str, caption: str) -> None:
    table.parent.mkdir(parents=True, exist_ok=True)
    new = not table.exists()
    with table.open("a", encoding="utf-8", newline="") as lines:
        out = csv.writer(lines)
        if new:
            out.writerow(["filename", "caption"])
        out.writerow([f"{name}.png", caption])


@dataclass(frozen=True)
class Taken:
    """A chain that somebody else played."""

    name: str
    first: str
    base: Image.Image | None  # of an image-first chain
    captions: list[str]
    pictures: list[Image.Image]


def read(folder: Path | str) -> list[Taken]:
    """The chains in a folder of the published layout, text-first ones first.

    Raises UserError if there is none, or a generation lacks a chain that generation 0 has.
    """
    chains: list[Taken] = []
    for first, folders in FOLDERS.items():
        for root in (Path(folder) / name for name in folders):
            if root.is_dir():
                chains += _read_chains(root, first)
    if not chains:
        raise UserError(
            f"{folder}: no chains here; expected text-first/gen-0.csv or image-first/gen-0/."
        )
    return chains


def _read_chains(root: Path, first: str) -> list[Taken]:
    generations: list[dict[str, str | Path]] = []
    for number in count():
        is_text = (number % 2 == 0) == (first == "text")
        place = root / (f"gen-{number}.csv" if is_text else f"gen-{number}")
        if not place.exists():
            break
        generations.append(_captions(place) if is_text else _pictures(place))
    if len(generations) < 3:
        raise UserError(
            f"{root}: {len(generations)} generations; a round needs two beside the first."
        )
    for number, generation in enumerate(generations):
        lacking = sorted(set(generations[0]) - set(generation))
        if lacking:
            raise UserError(f"{root}/gen-{number}: {lacking[0]} is missing, which gen-0 has.")
    chains = []
    for name in generations[0]:
        own = [generation[name] for generation in generations]
        base = own.pop(0) if first == "image" else None
        rounds = len(own) // 2
        chains.append(
            Taken(
                name,
                first,
                open_picture(base) if base is not None else None,
                [str(caption) for caption in own[0 : 2 * rounds : 2]],
                [open_picture(picture) for picture in own[1 : 2 * rounds : 2]],
            )
        )
    return chains


def _captions(table: Path) -> dict[str, str | Path]:
    """Captions by file name without its ending. Published tables are not all UTF-8."""
    content = table.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    rows = [*csv.DictReader(text.splitlines())]
    if not rows or not {"filename", "caption"} <= set(rows[0]):
        raise UserError(f"{table}: expected the columns filename and caption.")
    return {_stem(row["filename"]): row["caption"].strip() for row in rows}


def _pictures(folder: Path) -> dict[str, str | Path]:
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS]
    return {_stem(path.name): path for path in files}


def _stem(name: str) -> str:
    return Path(name).stem if Path(name).suffix.lower() in ENDINGS else name


def measure_taken(
    folder: Path | str,
    out: Path | str,
    *,
    bundle: Bundle,
    attributes: Path | str | None,
    embedding: str,
) -> None:
    """Write the drift of the chains in a folder as a study's table has it.

    They are measured by `bundle`'s encoders; in the table their bundle is the folder's name.
    """
    known = Attributes.read(attributes) if attributes else None
    meaning = Meaning.of(bundle)
    rows: list[Row] = []
    for chain in read(folder):
        whose: Row = {
            "chain": f"{chain.first}-first/{chain.name}", "image": chain.name, "seed": None,
            "bundle": Path(folder).name, "first": chain.first,
        }  # fmt: skip
        measured = measure(
            chain.base, chain.pictures, chain.captions,
            meaning=meaning, attributes=known, embedding=embedding,
        )  # fmt: skip
        rows += [{**whose, **row} for row in measured]
    write_rows(rows, out)
