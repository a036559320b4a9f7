"""The strip of a chain: its base and its rounds side by side, what was said beneath.

More than MOST panels are shown in several rows, read as a page is.
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from scripts.figures.typography import (
    CAPTION,
    FRAME,
    GAP,
    GREY,
    INK,
    LABEL,
    NOTE,
    even_rows,
    font,
    leading,
    wrap,
)
from scripts.files import written
from scripts.records import read_if_sound, unfamiliar
from scripts.untrusted.files import is_text
from scripts.untrusted.pictures import open_picture
from scripts.untrusted.texts import read_text

MOST = 6  # panels in a row: captions are legible at the width of a page
SIDE = 256  # height of a picture; smaller and larger ones are brought to it
BASE_WIDTHS = (SIDE // 2, SIDE * 2)  # base pictures wider or narrower than that are fitted in


def draw(
    base: Path | str,
    pictures: Sequence[Path | str],
    texts: Sequence[Path | str],
    out: Path | str,
    records: Sequence[Path | str] = (),
) -> None:
    """Writes the strip of a chain as a PNG.

    `base` is a picture or, of a text-first chain, a text; `pictures` and `texts` are those of
    rounds 1, 2, …, and so are `records`, which name the words that the painter does not know. A
    note beneath the base picture says if it was unfamiliar to the captioner.
    Raises UserError if a picture or a text cannot be read.
    """
    first = _card(read_text(base)) if is_text(base) else _fit(open_picture(base))
    panels = [first, *(_fit(open_picture(picture)) for picture in pictures)]
    captions = ["", *(read_text(text) for text in texts)]
    notes = [_note_of_base(texts), *(_note(record) for record in records)] if records else []
    image = compose(panels, captions, notes)
    with written(out) as part:
        image.save(part, format="PNG")


def _note(record: Path | str) -> str:
    """What a round's record says of words that the painter does not know."""
    unknown = read_if_sound(record).get("unknown_words")
    return f"not known to the painter: {', '.join(unknown)}" if unknown else ""


def _note_of_base(texts: Sequence[Path | str]) -> str:
    """What the record of the first caption says of a base picture that is unfamiliar."""
    first = Path(texts[0])
    return unfamiliar(read_if_sound(first.parent / "captions" / first.with_suffix(".json").name))


def compose(
    panels: Sequence[Image.Image], captions: Sequence[str], notes: Sequence[str] = ()
) -> Image.Image:
    """The panels in rows, numbered from the base on, each with its caption and note beneath."""
    columns = even_rows(len(panels), MOST)
    notes = notes or [""] * len(panels)
    rows = [
        _row(panels[n : n + columns], captions[n : n + columns], notes[n : n + columns], n)
        for n in range(0, len(panels), columns)
    ]
    strip = Image.new("RGB", (max(r.width for r in rows), sum(r.height for r in rows)), "white")
    top = 0
    for row in rows:
        strip.paste(row, (0, top))
        top += row.height
    return strip


def _row(
    panels: Sequence[Image.Image], captions: Sequence[str], notes: Sequence[str], first: int
) -> Image.Image:
    """Panels side by side, numbered from `first` on, with their captions and notes."""
    told = [
        [(line, CAPTION, INK) for line in wrap(caption, panel.width, CAPTION)]
        + [(line, LABEL, NOTE) for line in wrap(note, panel.width, LABEL)]
        for panel, caption, note in zip(panels, captions, notes, strict=True)
    ]
    top = GAP + SIDE + GAP // 2
    heights = [sum(leading(size) for _, size, _ in lines) for lines in told]
    height = top + leading(LABEL) + max(heights) + GAP
    row = Image.new("RGB", (sum(p.width + GAP for p in panels) + GAP, height), "white")
    pen = ImageDraw.Draw(row)
    left = GAP
    for number, (panel, lines) in enumerate(zip(panels, told, strict=True), first):
        row.paste(panel, (left, GAP + (SIDE - panel.height) // 2))
        label = f"round {number}" if number else "base"
        pen.text((left, top), label, font=font(LABEL), fill=GREY)
        y = top + leading(LABEL)
        for line, size, colour in lines:
            pen.text((left, y), line, font=font(size), fill=colour)
            y += leading(size)
        left += panel.width + GAP
    return row


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
        if len(lines) * leading(size) <= SIDE - 2 * inner:
            break
        if size > CAPTION - 4:
            size -= 1
        else:
            width += SIDE // 2
    card = Image.new("RGB", (width, SIDE), "white")
    pen = ImageDraw.Draw(card)
    pen.rectangle((0, 0, width - 1, SIDE - 1), outline=FRAME, width=2)
    y = (SIDE - len(lines) * leading(size)) // 2
    for number, line in enumerate(lines):
        pen.text((inner, y + number * leading(size)), line, font=font(size), fill=INK)
    return card
