"""The contact grid of a round: many pictures of one caption, each from noise of its own."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from scripts.bundles import Bundle
from scripts.chains import Chain
from scripts.devices import choose_device
from scripts.figures.typography import CAPTION, GAP, GREY, INK, LABEL, LEADING, font, wrap
from scripts.files import written
from scripts.stages.generate import caption_to_paint, paint

PAGE = 1200  # width in pixels up to which type keeps its size


def draw(
    text: Path | str,
    out: Path | str,
    *,
    chain: Chain,
    round_: int,
    number: int,
    bundle: Bundle,
    device: str,
    threads: int,
    batch: int = 1,
) -> None:
    """Writes `number` pictures of a caption as a PNG; number 0 is the one that is passed on.

    Pictures keep their pixels. Raises UserError as `generate` does.
    """
    sentence, _ = caption_to_paint(text, bundle)
    device = choose_device(device)
    pictures = paint(sentence, chain, round_, bundle, device, threads, range(number), batch)
    with written(out) as part:
        compose(pictures, sentence).save(part, format="PNG")


def compose(pictures: Sequence[Image.Image], caption: str) -> Image.Image:
    """The pictures in rows as long as there are rows, numbered, with the caption above.

    In a grid that is wider than a page, type is larger, so that it is legible when all is shrunk.
    """
    columns = round(len(pictures) ** 0.5 + 0.499)
    rows = -(-len(pictures) // columns)
    side = pictures[0].width
    width = GAP + columns * (side + GAP)
    told, numbers = (round(size * max(1, width / PAGE)) for size in (CAPTION, LABEL))
    lines = wrap(caption, width - 2 * GAP, told)
    leading = round(told * LEADING)
    top = GAP + len(lines) * leading + GAP // 2
    row = side + round(numbers * LEADING) + GAP // 2
    grid = Image.new("RGB", (width, top + rows * row + GAP // 2), "white")
    pen = ImageDraw.Draw(grid)
    for number, line in enumerate(lines):
        pen.text((GAP, GAP + number * leading), line, font=font(told), fill=INK)
    for number, picture in enumerate(pictures):
        left, upper = GAP + number % columns * (side + GAP), top + number // columns * row
        grid.paste(picture, (left, upper))
        label = f"{number}" if number else "0, passed on"
        pen.text((left, upper + side + 1), label, font=font(numbers), fill=GREY)
    return grid
