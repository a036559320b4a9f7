"""What each word of a caption looked at, at every stage that attends (AttnGAN, figure 4)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from scripts.bundles import Bundle
from scripts.chains import Chain
from scripts.devices import choose_device
from scripts.figures.typography import (
    CAPTION,
    GAP,
    GREY,
    INK,
    LABEL,
    LEADING,
    even_rows,
    font,
    wrap,
)
from scripts.files import written
from scripts.stages.generate import caption_to_paint, chance, check_attention

MOST = 5  # words of a first row, beside the picture
SIDE = 192  # of a picture in the first row, in pixels
COLUMNS = 8  # words at most in each of the rows below
WIDTH = (MOST + 1) * (SIDE + GAP) - GAP  # of a row
SMALL = (WIDTH + GAP) // COLUMNS - GAP  # side of a picture below
BAR = (320, 16)  # size of the bar that explains the colours
HEAT = "viridis"  # perceptually uniform, readable without colours, and nowhere black
RELIEF = 0.9  # how strongly edges of the picture are seen through the heat
LINE = round(LABEL * LEADING)


def draw(
    text: Path | str,
    out: Path | str,
    *,
    chain: Chain,
    round_: int,
    bundle: Bundle,
    device: str,
    threads: int,
    batch: int = 1,
) -> None:
    """Writes the attention behind a round's picture as a PNG, painted alone whatever `batch` says.

    Raises UserError as `generate` does, and where the bundle's painter has no attention maps.
    """
    import torch

    check_attention(bundle)
    sentence, _ = caption_to_paint(text, bundle)
    torch.set_num_threads(threads)  # this thread's
    looked = bundle.painter.look(sentence, chance(chain, round_), choose_device(device))
    with written(out) as part:
        compose(looked.picture, looked.words, looked.stages, sentence).save(part, format="PNG")


def compose(
    picture: Image.Image, words: Sequence[str], looked: Sequence[np.ndarray], caption: str
) -> Image.Image:
    """The caption; for each stage the words most attended to beside the picture, then every word.

    `looked` has (T, s, s) for each stage, of which the T shares of each place add up to 1.
    """
    lines = wrap(caption, WIDTH, CAPTION)
    leading = round(CAPTION * LEADING)
    stages = [
        _stage(picture, words, shares, number) for number, shares in enumerate(looked, start=2)
    ]
    top = GAP + len(lines) * leading
    height = top + sum(GAP + stage.height for stage in stages)
    page = Image.new("RGB", (WIDTH + 2 * GAP, height), "white")
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        pen.text((GAP, GAP + number * leading), line, font=font(CAPTION), fill=INK)
    for stage in stages:
        page.paste(stage, (GAP, top + GAP))
        top += GAP + stage.height
    return page


def most_attended(shares: np.ndarray) -> list[int]:
    """The words, given as (T, s, s), in the order of the attention that they got in all."""
    return np.argsort(-shares.sum(axis=(1, 2)), kind="stable").tolist()


def _stage(
    picture: Image.Image, words: Sequence[str], shares: np.ndarray, number: int
) -> Image.Image:
    """What a stage looked at: heading, scale of colours, and the rows of words."""
    places = shares.shape[1]
    scale = float(shares.min()), float(shares.max())
    large, small = _sized(picture, SIDE), _sized(picture, SMALL)
    best = most_attended(shares)[:MOST]
    first = [(large, "painted")]
    first += [
        (heated(large, shares[n], scale), f"{words[n]}, {100 * shares[n].mean():.1f} %")
        for n in best
    ]
    rest = [(heated(small, shares[n], scale), word) for n, word in enumerate(words)]
    columns = even_rows(len(rest), COLUMNS)
    rows = [first, *(rest[n : n + columns] for n in range(0, len(rest), columns))]
    head = LINE + LINE + GAP // 2
    heights = [row[0][0].height + LINE + GAP // 2 for row in rows]
    part = Image.new("RGB", (WIDTH, head + sum(heights)), "white")
    pen = ImageDraw.Draw(part)
    title = (
        f"Stage {number}: which words each of {places} × {places} places looked at,"
        f" to become {2 * places} × {2 * places} pixels"
    )
    pen.text((0, 0), title, font=font(LABEL), fill=INK)
    _explain(part, pen, scale, 1 / len(words))
    top = head
    for row, height in zip(rows, heights, strict=True):
        for column, (panel, label) in enumerate(row):
            left = column * (panel.width + GAP)
            part.paste(panel, (left, top))
            shown = wrap(label, panel.width, LABEL)[0]
            pen.text((left, top + panel.height + 1), shown, font=font(LABEL), fill=INK)
        top += height
    return part


def _explain(
    part: Image.Image, pen: ImageDraw.ImageDraw, scale: tuple[float, float], even: float
) -> None:
    """The bar of colours, with its ends and the share of a word that nothing prefers."""
    low, high = scale
    width, height = BAR
    left, top = 0, LINE

    def say(text: str) -> int:
        pen.text((left, top), text, font=font(LABEL), fill=GREY)
        return left + round(font(LABEL).getlength(text))

    left = say(f"share of a place's attention:  {low:.3f} ") + 4
    ramp = np.linspace(low, high, width)[None].repeat(height, axis=0)
    part.paste(Image.fromarray(_bytes(_colours(ramp, scale))), (left, top + 3))
    if high > low:
        mark = left + round((even - low) / (high - low) * (width - 1))
        pen.line((mark, top + 1, mark, top + height + 5), fill="white", width=3)
        pen.line((mark, top + 1, mark, top + height + 5), fill=INK, width=1)
    left += width + 4
    say(f" {high:.3f};  the line, {even:.3f}: no word is preferred")


def heated(picture: Image.Image, share: np.ndarray, scale: tuple[float, float]) -> Image.Image:
    """The heat of a word, (s, s), with the edges of the picture in it.

    Edges alone, not its tones, so that the colours remain those of the bar.
    """
    size = picture.size
    wide = np.asarray(
        Image.fromarray(share.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    )
    grey = picture.convert("L")
    smooth = grey.filter(ImageFilter.GaussianBlur(picture.width / 24))
    edges = np.asarray(grey, np.float32) - np.asarray(smooth, np.float32)
    return Image.fromarray(_bytes(_colours(wide, scale) + RELIEF * edges[..., None] / 255))


def _colours(shares: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """(…, 3) from 0 to 1."""
    from matplotlib import colormaps

    low, high = scale
    spread = high - low or 1.0
    return colormaps[HEAT](((shares - low) / spread).clip(0, 1))[..., :3]


def _bytes(colours: np.ndarray) -> np.ndarray:
    return (colours.clip(0, 1) * 255).round().astype(np.uint8)


def _sized(picture: Image.Image, side: int) -> Image.Image:
    return picture.resize((side, side), Image.Resampling.LANCZOS)
