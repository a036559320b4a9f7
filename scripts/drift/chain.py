"""What a chain keeps of what it began with, round by round: drift.tsv.

A cell is NA where there is nothing to measure: no base picture in a text-first chain, no image
encoder in the bundle, no round before the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.bundles import Bundle
from scripts.drift import texts as language
from scripts.drift.attributes import Attributes
from scripts.drift.measures import MEASURES, Played
from scripts.drift.pictures import pixels
from scripts.files import written
from scripts.judge import Judge
from scripts.meaning import Meaning
from scripts.tables import Row, write_rows
from scripts.untrusted.files import is_text
from scripts.untrusted.pictures import open_picture
from scripts.untrusted.texts import read_text


def write(
    base: Path | str,
    pictures: Sequence[Path | str],
    texts: Sequence[Path | str],
    table: Path | str,
    vectors: Path | str,
    *,
    bundle: Bundle,
    attributes: Path | str | None,
    embedding: str,
    threads: int,
    judge: str | None = None,
    truth: Mapping[str, str] | None = None,
) -> None:
    """Write drift.tsv, one line for each round, and the vectors that its cosines are of.

    `truth` has what is known to be in the base, by attribute; a base text says it itself. Raises
    UserError if a file cannot be read or the embedding cannot be had.
    """
    known = Attributes.read(attributes) if attributes else None
    played = look(
        None if is_text(base) else open_picture(base),
        map(open_picture, pictures),
        [read_text(text) for text in texts],
        meaning=Meaning.of(bundle),
        embedding=embedding,
        threads=threads,
        judge=Judge.called(judge),
    )
    write_rows(table_of(played, known, truth), table)
    with written(vectors) as part, part.open("wb") as file:
        np.savez(file, **vectors_of(played))


def measure(
    base: Image.Image | None,
    pictures: Iterable[Image.Image],
    captions: Sequence[str],
    *,
    meaning: Meaning | None,
    attributes: Attributes | None,
    embedding: str = language.PACKAGED,
    threads: int = 1,
    truth: Mapping[str, str] | None = None,
) -> list[Row]:
    """A row for each round, of its caption and the picture that was painted from it."""
    played = look(base, pictures, captions, meaning=meaning, embedding=embedding, threads=threads)
    return table_of(played, attributes, truth)


def look(
    base: Image.Image | None,
    pictures: Iterable[Image.Image],
    captions: Sequence[str],
    *,
    meaning: Meaning | None,
    embedding: str = language.PACKAGED,
    threads: int = 1,
    at_once: int = 1,
    judge: Judge | None = None,
) -> Played:
    """What a chain's captions and pictures mean.

    `base` is None in a text-first chain, whose first caption is the base text. The last caption
    may be without a picture, in chains that end with it. More than one thread, or captions that are
    embedded `at_once`, may change the last bits.
    """
    import torch

    torch.set_num_threads(threads)  # this thread's
    small, seen, judged = [], [], []
    for picture in pictures:
        judged.append(judge.picture(picture) if judge else None)
        small.append(pixels(picture) if base else None)
        seen.append(meaning.picture(picture).numpy() if meaning else None)
    sentences = [meaning.sentence(caption) for caption in captions] if meaning else []
    return Played(
        captions=list(captions),
        meant=language.embed(captions, embedding, at_once),
        told=_stacked([None if one is None else one.numpy() for one in sentences]),
        seen=_stacked(seen),
        base=meaning.picture(base).numpy() if meaning and base else None,
        pixels=tuple(small) if base else (),
        base_pixels=pixels(base) if base else None,
        judged=_stacked(judged),
        judged_told=_stacked([judge.sentence(one) if judge else None for one in captions]),
        judged_base=judge.picture(base) if judge and base else None,
    )


def _stacked(vectors: list[np.ndarray | None]) -> np.ndarray | None:
    """Vectors in one array, rows of nan where there is none; None if there is none at all."""
    known = next((vector for vector in vectors if vector is not None), None)
    if known is None:
        return None
    return np.stack([np.full_like(known, np.nan) if one is None else one for one in vectors])


def table_of(
    played: Played, attributes: Attributes | None, truth: Mapping[str, str] | None = None
) -> list[Row]:
    """A row for each round: its caption, all figures, and what it says of each attribute."""
    said = [attributes.said(caption) for caption in played.captions] if attributes else []
    if said and played.base_pixels is None:
        truth = said[0]  # the base text itself
    rows: list[Row] = []
    for index, caption in enumerate(played.captions):
        row: Row = {"round": index + 1, "caption": caption}
        row |= {name: measure.of(played, index) for name, measure in MEASURES.items()}
        for name in attributes.signs if attributes else ():
            value, first, true = said[index][name], said[0][name], (truth or {}).get(name)
            row[name] = value or None
            row[f"{name}_kept"] = int(value == first) if first else None
            row[f"{name}_base"] = true or None
            row[f"{name}_true"] = int(value == true) if true else None
        rows.append(row)
    return rows


def vectors_of(played: Played) -> dict[str, np.ndarray]:
    """The vectors of a chain, as they are kept beside its table."""
    names = ("meant", "told", "seen", "base", "judged", "judged_told", "judged_base")
    found = {name: getattr(played, name) for name in names}
    return {name: array.astype(np.float32) for name, array in found.items() if array is not None}
