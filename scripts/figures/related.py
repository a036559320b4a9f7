"""Semantically related pictures: what is nearest to a picture in meaning, and what in pixels.

Meaning is the whole-picture feature of the bundle's DAMSM (AttnGAN, section 3.2). A folder's
pictures are looked at once: their index is kept, and only pictures that are new or have changed
are added to it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from scripts.bundles import Bundle
from scripts.drift.pictures import pixels
from scripts.errors import UserError
from scripts.figures.typography import GAP, GREY, INK, LABEL, LEADING, font, wrap
from scripts.files import digest, written
from scripts.meaning import Meaning
from scripts.untrusted.files import is_text
from scripts.untrusted.pictures import open_picture

SHOWN = 5  # pictures of each row
SIDE = 192  # of a picture, in pixels


def index(
    pictures: Sequence[Path | str],
    out: Path | str,
    bundle: Bundle,
    threads: int = 1,
    code: str = "",
) -> int:
    """Bring an index of pictures up to date, and tell how many had to be looked at.

    The index is a numpy archive: `names`, `digests`, `meaning` (N, D), `pixels` (N, 12288) of
    bytes; `eyes` tells what has looked: weights, and a digest of the `code`. Raises UserError if a
    picture cannot be read or the bundle has no image encoder.
    """
    meaning = Meaning.of(bundle)
    if meaning is None:
        raise UserError(
            f"{bundle.folder}: this bundle has no image encoder, which tells what pictures mean;"
            " related pictures need one that has."
        )
    _compute_on(threads)
    encoder = f"{digest(meaning.bundle.weights('image_encoder'))} {code}"
    known = _known(Path(out), encoder)
    rows, new = [], 0
    for picture in sorted(map(str, pictures)):
        content = digest(picture)
        if content not in known:
            opened = open_picture(picture)
            known[content] = meaning.picture(opened).numpy(), (pixels(opened) * 255).round()
            new += 1
        rows.append((picture, content, *known[content]))
    names, digests, meanings, all_pixels = zip(*rows, strict=True)
    with written(out) as part, part.open("wb") as file:
        np.savez(
            file,
            eyes=np.array(encoder),
            names=np.array(names),
            digests=np.array(digests),
            meaning=np.stack(meanings),
            pixels=np.stack([row.reshape(-1) for row in all_pixels]).astype(np.uint8),
        )
    return new


def _known(path: Path, encoder: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What an earlier index knows, by the pictures' digests; nothing, if others made it."""
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as old:
            if str(old["eyes"]) != encoder:
                return {}
            rows = zip(old["digests"], old["meaning"], old["pixels"], strict=True)
            return {str(content): (meaning, flat) for content, meaning, flat in rows}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}  # an index that is damaged is made anew


def draw(
    base: Path | str, library: Path | str, out: Path | str, bundle: Bundle, threads: int = 1
) -> None:
    """Writes the base picture beside the nearest in meaning and the nearest in pixels, as a PNG.

    Raises UserError if the base is a text, or a picture cannot be read.
    """
    if is_text(base):
        raise UserError(f"{base}: a text has no related pictures; ask for those of a picture.")
    _compute_on(threads)
    picture = open_picture(base)
    with np.load(library, allow_pickle=False) as found:
        names = [str(name) for name in found["names"]]
        meanings, flat = found["meaning"], found["pixels"].astype(np.float32) / 255
    own = digest(base)
    others = [index for index, name in enumerate(names) if digest(name) != own]
    if not others:
        raise UserError(f"config: library: the folder holds no picture other than {base}.")
    near = Meaning.of(bundle).picture(picture).numpy() @ meanings.T
    alike = 1 - np.abs(flat - pixels(picture).reshape(-1)).mean(axis=1)
    rows = [
        ("nearest in meaning (cosine of what the bundle's DAMSM sees)", near),
        ("nearest in pixels (1 less their mean difference)", alike),
    ]
    best = [
        (
            title,
            [(names[i], float(score[i])) for i in sorted(others, key=lambda i: -score[i])][:SHOWN],
        )
        for title, score in rows
    ]
    with written(out) as part:
        compose(picture, best).save(part, format="PNG")


def _compute_on(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)  # this thread's; more would change the last bits


def compose(
    base: Image.Image, rows: Sequence[tuple[str, Sequence[tuple[str, float]]]]
) -> Image.Image:
    """The base picture on the left, and rows of (name, similarity) with their titles."""
    line = round(LABEL * LEADING)
    height = line + SIDE + 2 * line + GAP
    columns = max(len(found) for _, found in rows)
    page = Image.new(
        "RGB", (GAP + (columns + 1) * (SIDE + GAP) + GAP, GAP + len(rows) * height), "white"
    )
    pen = ImageDraw.Draw(page)
    pen.text((GAP, GAP), "base", font=font(LABEL), fill=GREY)
    page.paste(_fitted(base), (GAP, GAP + line))
    for row, (title, found) in enumerate(rows):
        top = GAP + row * height
        left = GAP + SIDE + 2 * GAP
        pen.text((left, top), title, font=font(LABEL), fill=GREY)
        for name, score in found:
            page.paste(_fitted(open_picture(name)), (left, top + line))
            label = wrap(Path(name).name, SIDE, LABEL)[0]
            pen.text((left, top + line + SIDE), f"{score:.3f}", font=font(LABEL), fill=INK)
            pen.text((left, top + 2 * line + SIDE), label, font=font(LABEL), fill=GREY)
            left += SIDE + GAP
    return page


def _fitted(picture: Image.Image) -> Image.Image:
    """Within a square of SIDE pixels, on light grey."""
    square = Image.new("RGB", (SIDE, SIDE), (240, 240, 240))
    scale = SIDE / max(picture.size)
    size = tuple(max(1, round(edge * scale)) for edge in picture.size)
    small = picture.resize(size, Image.Resampling.LANCZOS)
    square.paste(small, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return square
