"""Snakemake's report, made light: pictures go into it as small copies."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image, ImageSequence

LIGHT = 60_000  # bytes: what is smaller goes into the report as it is
WIDE = 1000  # of the copy of a strip at the most, in pixels
WIDTH = 640  # of any other copy
FRAME = 160  # of a film's copy
QUALITY = 50
SHRUNK = (".png", ".gif")


def copy(path: Path | str) -> str | None:
    """A small copy of a picture or a film as a data URI; None of what is light, or is neither."""
    path = Path(path)
    if path.suffix.lower() not in SHRUNK or path.stat().st_size < LIGHT:
        return None
    content = io.BytesIO()
    with Image.open(path, formats=("PNG", "GIF")) as picture:
        if getattr(picture, "n_frames", 1) > 1:
            _film(picture, content)
        else:
            small = picture.convert("RGB")
            width = WIDE if picture.width > 2 * picture.height else WIDTH
            small.thumbnail((width, width * 20), Image.Resampling.LANCZOS)
            small.save(content, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"


def _film(film: Image.Image, content: io.BytesIO) -> None:
    frames, times = [], []
    for frame in ImageSequence.Iterator(film):
        small = frame.convert("RGB")
        small.thumbnail((FRAME, FRAME * 4), Image.Resampling.LANCZOS)
        frames.append(small)
        times.append(frame.info.get("duration", 1000))
    frames[0].save(
        content, "WEBP", save_all=True, append_images=frames[1:], duration=times, loop=0,
        quality=QUALITY,
    )  # fmt: skip
