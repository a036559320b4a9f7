"""The film of a chain: one picture after the other, its caption beneath."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from scripts.figures.typography import CAPTION, GAP, GREY, INK, LABEL, LEADING, font, wrap
from scripts.files import written
from scripts.untrusted.files import is_text
from scripts.untrusted.pictures import open_picture
from scripts.untrusted.texts import read_text

SIDE = 384  # of a picture, in pixels
SHOWN = 1600  # milliseconds
LAST = 3200  # of the last one


def draw(
    base: Path | str,
    pictures: Sequence[Path | str],
    texts: Sequence[Path | str],
    out: Path | str,
) -> None:
    """Writes the film as an animated GIF that begins again at its end.

    `base` is a picture or, of a text-first chain, a text, which has no picture of its own.
    Raises UserError if one of them cannot be read.
    """
    scenes = [] if is_text(base) else [("base", open_picture(base), "")]
    scenes += [
        (f"round {number}", open_picture(picture), read_text(text))
        for number, (picture, text) in enumerate(zip(pictures, texts, strict=True), 1)
    ]
    lines = max(len(wrap(caption, SIDE, CAPTION)) for _, _, caption in scenes)
    frames = [frame(label, picture, caption, lines) for label, picture, caption in scenes]
    times = [SHOWN] * (len(frames) - 1) + [LAST]
    with written(out) as part:
        frames[0].save(
            part, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0
        )


def frame(label: str, picture: Image.Image, caption: str, lines: int) -> Image.Image:
    """A picture fitted into a square, what round it is, and room for `lines` of its caption."""
    picture = picture.copy()
    scale = SIDE / max(picture.size)
    size = tuple(max(1, round(edge * scale)) for edge in picture.size)
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    leading = round(CAPTION * LEADING)
    head = round(LABEL * LEADING)
    page = Image.new("RGB", (SIDE + 2 * GAP, 2 * GAP + SIDE + head + lines * leading), "white")
    page.paste(picture, (GAP + (SIDE - size[0]) // 2, GAP + (SIDE - size[1]) // 2))
    pen = ImageDraw.Draw(page)
    pen.text((GAP, GAP + SIDE + 2), label, font=font(LABEL), fill=GREY)
    for number, line in enumerate(wrap(caption, SIDE, CAPTION)):
        y = GAP + SIDE + head + number * leading
        pen.text((GAP, y), line, font=font(CAPTION), fill=INK)
    return page
