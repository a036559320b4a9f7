"""Small copies of pictures for the page: those of a chain side by side in one file."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from scripts.files import written

SIDE = 224  # of a thumbnail, in pixels
LARGE = 512  # longest side of a base picture's copy
QUALITY = 80
MOST = 25  # thumbnails of a chain at the most; of a longer one, evenly spaced rounds


def shown(rounds: int) -> list[int]:
    """Which rounds have a thumbnail: 0 (the base), the last one, and evenly spaced ones between."""
    if rounds < MOST:
        return list(range(rounds + 1))
    return sorted({round(n * rounds / (MOST - 1)) for n in range(MOST)})


def draw(pictures: Sequence[Image.Image | Path | None], out: Path) -> None:
    """Writes thumbnails side by side as one WebP; None leaves its place empty.

    A missing or broken picture leaves its place empty, too: the page shows what there is.
    """
    sheet = Image.new("RGBA", (SIDE * len(pictures), SIDE))
    for index, picture in enumerate(pictures):
        small = _fitted(_opened(picture), SIDE)
        if small is not None:
            left = index * SIDE + (SIDE - small.width) // 2
            sheet.paste(small, (left, (SIDE - small.height) // 2))
    with written(out) as part:
        sheet.save(part, format="WEBP", quality=QUALITY, method=3)


def large(picture: Image.Image, out: Path) -> None:
    """Writes a copy of a base picture that every browser can show, as WebP."""
    with written(out) as part:
        part.write_bytes(encoded(picture))


def encoded(picture: Image.Image) -> bytes:
    """The same copy as bytes."""
    content = io.BytesIO()
    _fitted(picture, LARGE).save(content, format="WEBP", quality=QUALITY, method=3)
    return content.getvalue()


def is_newer(out: Path, sources: Sequence[Path]) -> bool:
    """Whether a file was written after all files that it was made from."""
    try:
        made = os.stat(out).st_mtime_ns
        return all(os.stat(source).st_mtime_ns <= made for source in sources)
    except OSError:
        return False


def _opened(picture: Image.Image | Path | None) -> Image.Image | None:
    if not isinstance(picture, Path):
        return picture
    try:
        with Image.open(picture, formats=("PNG",)) as opened:
            return opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _fitted(picture: Image.Image | None, side: int) -> Image.Image | None:
    """The picture shrunk (or, if it is tiny, enlarged) to a longest side of `side`."""
    if picture is None:
        return None
    scale = side / max(picture.size)
    if scale > 1 and side == LARGE:
        return picture
    size = tuple(max(1, round(edge * scale)) for edge in picture.size)
    method = Image.Resampling.NEAREST if scale >= 3 else Image.Resampling.LANCZOS
    return picture.resize(size, method)
