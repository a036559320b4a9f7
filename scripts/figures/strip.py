"""The strip of a chain: its base and its rounds side by side, what was said beneath.

More than MOST panels are shown in several rows, read as a page is.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from scripts.chains import TEXT
from scripts.files import written
from scripts.untrusted import open_picture, read_text

MOST = 6  # panels in a row: captions are legible at the width of a page
SIDE = 256  # height of a picture; smaller and larger ones are brought to it
GAP = 16  # between panels, and around them
LABEL, CAPTION = 17, 19  # sizes of type
LEADING = 1.3  # distance of lines, in sizes of type
INK, GREY, FRAME = (25, 25, 25), (120, 120, 120), (215, 215, 215)
BASE_WIDTHS = (SIDE // 2, SIDE * 2)  # base pictures wider or narrower than that are fitted in


def draw(
    base: Path | str,
    pictures: Sequence[Path | str],
    texts: Sequence[Path | str],
    out: Path | str,
) -> None:
    """Writes the strip of a chain as a PNG.

    `base` is a picture or, of a text-first chain, a text; `pictures` and `texts` are those of
    rounds 1, 2, … Raises UserError if one of them cannot be read.
    """
    is_text = Path(base).suffix.lower() == TEXT
    first = _card(read_text(base)) if is_text else _fit(open_picture(base))
    panels = [first, *(_fit(open_picture(picture)) for picture in pictures)]
    captions = ["", *(read_text(text) for text in texts)]
    image = compose(panels, captions)
    with written(out) as part:
        image.save(part, format="PNG")


def compose(panels: Sequence[Image.Image], captions: Sequence[str]) -> Image.Image:
    """The panels in rows, numbered from the base on, each with its caption beneath."""
    columns = even_rows(len(panels), MOST)
    rows = [
        _row(panels[n : n + columns], captions[n : n + columns], n)
        for n in range(0, len(panels), columns)
    ]
    strip = Image.new("RGB", (max(r.width for r in rows), sum(r.height for r in rows)), "white")
    top = 0
    for row in rows:
        strip.paste(row, (0, top))
        top += row.height
    return strip


def even_rows(number: int, most: int) -> int:
    """How many of `number` things stand in a row, at most `most`, so that rows are even."""
    rows = -(-number // most)
    return -(-number // rows)


def _row(panels: Sequence[Image.Image], captions: Sequence[str], first: int) -> Image.Image:
    """Panels side by side, numbered from `first` on, with their captions."""
    wrapped = [
        wrap(caption, panel.width, CAPTION) for panel, caption in zip(panels, captions, strict=True)
    ]
    top = GAP + SIDE + GAP // 2
    lines = max(map(len, wrapped))
    height = top + _leading(LABEL) + lines * _leading(CAPTION) + GAP
    row = Image.new("RGB", (sum(p.width + GAP for p in panels) + GAP, height), "white")
    pen = ImageDraw.Draw(row)
    left = GAP
    for number, (panel, caption) in enumerate(zip(panels, wrapped, strict=True), first):
        row.paste(panel, (left, GAP + (SIDE - panel.height) // 2))
        label = f"round {number}" if number else "base"
        pen.text((left, top), label, font=font(LABEL), fill=GREY)
        for place, line in enumerate(caption):
            y = top + _leading(LABEL) + place * _leading(CAPTION)
            pen.text((left, y), line, font=font(CAPTION), fill=INK)
        left += panel.width + GAP
    return row


def wrap(text: str, width: int, size: int) -> list[str]:
    """The text in lines of at most `width` pixels; a word that is wider is broken, not cut."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if _fits(longer, width, size):
            line = longer
            continue
        if line:
            lines.append(line)
        while not _fits(word, width, size) and len(word) > 1:
            fits = max(n for n in range(1, len(word)) if n == 1 or _fits(word[:n], width, size))
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line] if line else lines


def _fits(line: str, width: int, size: int) -> bool:
    return font(size).getlength(line) <= width


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along on every machine: Latin, Greek, Cyrillic."""
    # Found without importing matplotlib, which takes half a second.
    fonts = Path(find_spec("matplotlib").submodule_search_locations[0], "mpl-data/fonts/ttf")
    return ImageFont.truetype(fonts / "DejaVuSans.ttf", size)


def _leading(size: int) -> int:
    return round(size * LEADING)


def _fit(picture: Image.Image) -> Image.Image:
    """The picture at the strip's height; very wide or narrow ones in a box of bounded width."""
    narrowest, widest = BASE_WIDTHS
    scale = min(SIDE / picture.height, widest / picture.width)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    # Few pixels stay squares; many are blended.
    enlarged = scale >= 3
    method = Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS
    scaled = picture.resize(size, method) if size != picture.size else picture
    if scaled.width >= narrowest and scaled.height == SIDE:
        return scaled
    box = Image.new("RGB", (max(scaled.width, narrowest), SIDE), (245, 245, 245))
    box.paste(scaled, ((box.width - scaled.width) // 2, (SIDE - scaled.height) // 2))
    return box


def _card(text: str) -> Image.Image:
    """A base text as a panel; the type shrinks, then the panel widens, until all of it is there."""
    inner = 14
    width, size = SIDE, 24
    while True:
        lines = wrap(text, width - 2 * inner, size)
        if len(lines) * _leading(size) <= SIDE - 2 * inner:
            break
        if size > CAPTION - 4:
            size -= 1
        else:
            width += SIDE // 2
    card = Image.new("RGB", (width, SIDE), "white")
    pen = ImageDraw.Draw(card)
    pen.rectangle((0, 0, width - 1, SIDE - 1), outline=FRAME, width=2)
    y = (SIDE - len(lines) * _leading(size)) // 2
    for place, line in enumerate(lines):
        pen.text((inner, y + place * _leading(size)), line, font=font(size), fill=INK)
    return card
