"""Chains in the layout of "The Telephone Game" (arXiv 2509.04438), to give and to take.

    text-first/gen-0.csv   gen-1/<filename>.png   gen-2.csv   …
    image-first/gen-0/<filename>.png   gen-1.csv   gen-2/…   …

Each CSV has the columns `filename` and `caption`. (The authors' page calls the folders
captions-first and images-first; both names are read.)
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.bundles import Bundle
from scripts.chains import TRUTH, leads_out
from scripts.drift.attributes import Attributes, Truth
from scripts.drift.chain import look, table_of, vectors_of
from scripts.drift.texts import AT_ONCE
from scripts.errors import UserError
from scripts.files import written, written_folder
from scripts.judge import Judge
from scripts.meaning import Meaning
from scripts.study.chance import pack_chains
from scripts.tables import Row, write_rows
from scripts.untrusted.files import is_picture, is_text
from scripts.untrusted.pictures import open_picture
from scripts.untrusted.texts import MAX_TEXT, is_plain, read_bytes, read_text
from scripts.words import tidy

FOLDERS = {"text": ("text-first", "captions-first"), "image": ("image-first", "images-first")}
GENERATION = re.compile(r"gen-([0-9]{1,6})(\.csv)?")
MAX_TABLE_BYTES = 256 << 20
# What the game calls its chains: their files tell image and seed when they come back.
CHAIN = re.compile(r"(?P<image>[^@+]+)(?:@(?P<seed>0|[1-9][0-9]*))?(?:\+.*)?")


@dataclass(frozen=True)
class Played:
    """The files of a chain: its base, and the captions and pictures of its rounds."""

    name: str
    bundle: str
    base: Path
    texts: Sequence[Path]
    pictures: Sequence[Path]

    @property
    def first(self) -> str:
        return "text" if is_text(self.base) else "image"

    def generations(self) -> list[Path]:
        """The base, then caption and picture in turn; the first caption of a text is the text."""
        rounds = zip(self.texts, self.pictures, strict=True)
        played = [file for round_ in rounds for file in round_]
        return played if self.first == "text" else [self.base, *played]


def export(
    chains: Sequence[Played],
    folder: Path | str,
    truth: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Write chains in the published layout, each bundle's into a folder of its name.

    A file is called as its chain, which has base and seed in its name. What is known to be in bases
    (`truth`, by image) goes along as truth.tsv, which the published code does not read.
    """
    with written_folder(folder) as part:
        _export(chains, part)
        for bundle in {chain.bundle for chain in chains} if truth else ():
            write_truth(truth, part / bundle / TRUTH)


def _export(chains: Sequence[Played], folder: Path) -> None:
    tables: dict[Path, list[tuple[str, str]]] = {}
    for chain in chains:
        root = folder / chain.bundle / FOLDERS[chain.first][0]
        for generation, file in enumerate(chain.generations()):
            if is_text(file):
                told = tables.setdefault(root / f"gen-{generation}.csv", [])
                told.append((f"{chain.name}.png", read_text(file)))
            else:
                _put(file, root / f"gen-{generation}" / f"{chain.name}.png")
    for table, told in tables.items():
        with written(table) as part, part.open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines).writerows([("filename", "caption"), *told])


def write_truth(truth: Mapping[str, Mapping[str, str]], table: Path) -> None:
    """Write what is in bases, by image, as truth.tsv has it."""
    columns = dict.fromkeys(name for row in truth.values() for name in row)
    rows = [
        {"image": image, **{name: row.get(name) for name in columns}}
        for image, row in truth.items()
    ]
    write_rows(rows, table)


def _put(picture: Path, path: Path) -> None:
    """Copies a picture, or writes it as PNG if it is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if picture.suffix.lower() == ".png":
        shutil.copyfile(picture, path)
    else:
        open_picture(picture).save(path)


@dataclass(frozen=True)
class Taken:
    """A chain that somebody else played; it may end with a caption that was not painted."""

    name: str
    first: str
    base: Path | None  # of an image-first chain
    captions: list[str]
    pictures: list[Path]


def read(folder: Path | str) -> list[Taken]:
    """The chains in a folder of the published layout, text-first ones first.

    Hidden files are left out. Raises UserError if there is no chain, if a generation is missing or
    lacks a chain that generation 0 has, if a caption is missing, is there twice or is no text, or
    if anything is a link to somewhere outside of the folder.
    """
    chains: list[Taken] = []
    try:
        for first, folders in FOLDERS.items():
            for root in (Path(folder) / name for name in folders):
                if root.is_dir():
                    chains += _read_chains(root, first, Path(folder))
    except OSError as error:
        path = error.filename or folder
        raise UserError(f"{path}: this cannot be read ({error.strerror}).") from None
    if not chains:
        raise UserError(
            f"{folder}: no chains here; expected text-first/gen-0.csv or image-first/gen-0/."
        )
    return chains


def _read_chains(root: Path, first: str, folder: Path) -> list[Taken]:
    last = _last(root)
    generations: list[dict[str, str | Path]] = []
    for number in range(last + 1):
        is_text = (number % 2 == 0) == (first == "text")
        path = root / (f"gen-{number}.csv" if is_text else f"gen-{number}")
        if not path.exists():
            raise UserError(f"{path} is missing, while there is a gen-{last}.")
        _check_inside(path, folder)
        generations.append(_captions(path) if is_text else _pictures(path, folder))
    if len(generations) < 2:
        raise UserError(f"{root}: nothing comes after generation 0; there is nothing to measure.")
    for number, generation in enumerate(generations):
        lacking = sorted(set(generations[0]) - set(generation))
        if lacking:
            raise UserError(f"{root}/gen-{number}: {lacking[0]} is missing, which gen-0 has.")
        strange = sorted(set(generation) - set(generations[0]))
        if strange:
            raise UserError(
                f"{root}/gen-{number}: {strange[0]} is here, which gen-0 lacks; where did it begin?"
            )
    chains = []
    for name in generations[0]:
        own = [generation[name] for generation in generations]
        base = own.pop(0) if first == "image" else None
        chains.append(Taken(name, first, base, own[0::2], own[1::2]))
    return chains


def _last(root: Path) -> int:
    """The number of the last generation; -1 if there is none."""
    found = (GENERATION.fullmatch(path.name) for path in root.glob("gen-*"))
    return max((int(match[1]) for match in found if match), default=-1)


def _check_inside(path: Path, folder: Path) -> None:
    if leads_out(path, folder):
        raise UserError(
            f"{path}: this is a link to somewhere outside of {folder}. Put the file itself there."
        )


def _captions(table: Path) -> dict[str, str | Path]:
    """Captions by file name without its ending. Published tables are not all UTF-8."""
    content = read_bytes(table, MAX_TABLE_BYTES)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{table}: this table is UTF-16; save it as UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    try:
        table_ = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
        rows = [(table_.line_num, row) for row in table_]
    except csv.Error as error:
        raise UserError(f"{table}: this is no table of comma-separated values ({error}).") from None
    if not rows or not {"filename", "caption"} <= set(rows[0][1]):
        raise UserError(f"{table}: expected the columns filename and caption.")
    told: dict[str, str | Path] = {}
    for number, (line, row) in enumerate(rows, 1):
        if None in row:
            raise UserError(
                f"{table}: line {line} has more cells than the first line; a caption with a comma"
                ' stands in quotes: "a cow, standing".'
            )
        name, caption = _stem(row["filename"] or ""), tidy(row["caption"] or "")
        if not name or not name.isprintable():
            raise UserError(f"{table}: the filename of row {number} is {name[:80]!r}.")
        if not caption:
            raise UserError(f"{table}: {name} has no caption.")
        if not is_plain(caption) or len(caption) > MAX_TEXT:
            raise UserError(
                f"{table}: the caption of {name} is no plain text of up to {MAX_TEXT:,} characters."
            )
        if name in told:
            raise UserError(f"{table}: {name} is there twice.")
        told[name] = caption
    return told


def _pictures(folder: Path, whole: Path) -> dict[str, str | Path]:
    """Pictures by file name without its ending."""
    if not folder.is_dir():
        raise UserError(f"{folder}: this is not a folder of pictures.")
    found: dict[str, str | Path] = {}
    for path in sorted(folder.iterdir()):
        # macOS puts a note `._0.png` beside each 0.png.
        if not is_picture(path) or path.name.startswith("."):
            continue
        _check_inside(path, whole)
        if path.stem in found:
            raise UserError(f"{path} and {found[path.stem]}: which one is {path.stem}?")
        if not path.stem.isprintable():
            raise UserError(f"{str(path)!r}: this name cannot be printed. Rename the file.")
        found[path.stem] = path
    return found


def _stem(name: str) -> str:
    return Path(name).stem if is_picture(name) else name


def measure_taken(
    folder: Path | str,
    out: Path | str,
    vectors: Path | str | None = None,
    *,
    bundle: Bundle,
    attributes: Path | str | None,
    embedding: str,
    threads: int,
    judge: str | None = None,
) -> None:
    """Write the drift of the chains in a folder as a study's table has it, and their vectors.

    They are measured by `bundle`'s encoders; in the table their bundle is the folder's name.
    """
    known = Attributes.read(attributes) if attributes else None
    truth, meaning = Truth.read(folder), Meaning.of(bundle)
    rows: list[Row] = []
    kept: list[dict[str, np.ndarray]] = []
    for chain in read(folder):
        named = CHAIN.fullmatch(chain.name)
        image = named["image"] if named else chain.name
        whose: Row = {
            "chain": f"{chain.first}-first/{chain.name}", "image": image,
            "seed": int(named["seed"]) if named and named["seed"] else None,
            "bundle": Path(folder).name, "encoder": bundle.name, "first": chain.first,
        }  # fmt: skip
        played = look(
            open_picture(chain.base) if chain.base else None,
            map(open_picture, chain.pictures),
            chain.captions,
            meaning=meaning,
            embedding=embedding,
            threads=threads,
            at_once=AT_ONCE,
            judge=Judge.called(judge),
        )
        rows += [{**whose, **row} for row in table_of(played, known, truth.of(image, known))]
        kept.append(vectors_of(played))
    write_rows(rows, out)
    if vectors:
        with written(vectors) as part, part.open("wb") as file:
            np.savez(file, **pack_chains(kept))
