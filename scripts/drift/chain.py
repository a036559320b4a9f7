"""What a chain keeps of what it began with, round by round: drift.tsv.

A cell is NA where there is nothing to measure: no base picture in a text-first chain, no image
encoder in the bundle, no round before the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from scripts.bundles import Bundle
from scripts.chains import TEXT
from scripts.drift import texts as language
from scripts.drift.attributes import Attributes
from scripts.drift.pictures import alike, pixels
from scripts.meaning import Meaning
from scripts.tables import Row, write_rows
from scripts.untrusted import open_picture, read_text


def write(
    base: Path | str,
    pictures: Sequence[Path | str],
    texts: Sequence[Path | str],
    table: Path | str,
    *,
    bundle: Bundle,
    attributes: Path | str | None,
    embedding: str,
    threads: int,
) -> None:
    """Write drift.tsv: one line for each round.

    Raises UserError if a file cannot be read or the embedding cannot be had.
    """
    is_text = Path(base).suffix.lower() == TEXT
    known = Attributes.read(attributes) if attributes else None
    rows = measure(
        None if is_text else open_picture(base),
        [open_picture(picture) for picture in pictures],
        [read_text(text) for text in texts],
        meaning=Meaning.of(bundle),
        attributes=known,
        embedding=embedding,
        threads=threads,
    )
    write_rows(rows, table)


def measure(
    base: Image.Image | None,
    pictures: Sequence[Image.Image],
    captions: Sequence[str],
    *,
    meaning: Meaning | None,
    attributes: Attributes | None,
    embedding: str = language.PACKAGED,
    threads: int = 1,
) -> list[Row]:
    """A row for each round, of its caption and the picture that was painted from it.

    `base` is None in a text-first chain, whose first caption is the base text. The last caption
    may be without a picture, in chains that end with it. More than one thread may change the last
    bits.
    """
    import torch

    torch.set_num_threads(threads)  # this thread's
    vectors = language.embed(list(captions), embedding)
    unpainted = [None] * (len(captions) - len(pictures))
    seen = [*(meaning.picture(picture) for picture in pictures), *unpainted] if meaning else []
    told = [meaning.sentence(caption) for caption in captions] if meaning else []
    begun = meaning.picture(base) if meaning and base else None
    first_pixels = pixels(base) if base else None
    facts = [attributes.said(caption) for caption in captions] if attributes else []
    rows: list[Row] = []
    for place, caption in enumerate(captions):
        row: Row = {"round": place + 1, "caption": caption}
        for name, other in (("first", 0), ("previous", place - 1)):
            row |= _beside(name, caption, captions[other] if other >= 0 else None)
            row[f"cosine_{name}"] = float(vectors[place] @ vectors[other]) if other >= 0 else None
        row["agreement"] = _cosine(seen, place, told, place)
        row["agreement_first"] = _cosine(seen, place, told, 0)
        row["caption_base"] = float(told[place] @ begun) if _both(begun, told, place) else None
        row["meaning_base"] = float(seen[place] @ begun) if _both(begun, seen, place) else None
        row["pixels_base"] = None
        if first_pixels is not None and place < len(pictures):
            row["pixels_base"] = alike(pixels(pictures[place]), first_pixels)
        if facts:
            for name, value in facts[place].items():
                row[name] = value or None
                row[f"{name}_kept"] = int(value == facts[0][name]) if facts[0][name] else None
        rows.append(row)
    return rows


def _beside(name: str, caption: str, other: str | None) -> Row:
    if other is None:
        return {f"{what}_{name}": None for what in ("kept", "lost", "new", "bleu")}
    change = language.change(caption, other)
    return {
        f"kept_{name}": change.kept,
        f"lost_{name}": change.lost,
        f"new_{name}": change.new,
        f"bleu_{name}": language.bleu(caption, other),
    }


def _both(begun: object, others: Sequence[object], place: int) -> bool:
    return begun is not None and others[place] is not None


def _cosine(seen: Sequence, place: int, told: Sequence, other: int) -> float | None:
    if not seen or seen[place] is None or told[other] is None:
        return None
    return float(seen[place] @ told[other])
