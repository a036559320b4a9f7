"""What each word of a caption looked at, at every stage that attends (AttnGAN, figure 4)."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from PIL import Image

from scripts.bundles import Bundle
from scripts.chains import Chain
from scripts.errors import UserError
from scripts.files import written
from scripts.stages import choose_device, compose, pixels_of, words_to_paint

MOST = 5  # words of a first row
HEAT = "viridis"  # perceptually uniform, readable without colours, and nowhere black
SHARE = 0.65  # of the heat in what is shown, the rest being the picture


def draw(
    text: Path | str,
    out: Path | str,
    *,
    chain: Chain,
    round_: int,
    bundle: Bundle,
    device: str,
    threads: int,
) -> None:
    """Writes the attention behind a round's picture as a PNG.

    Raises UserError as stages.generate does, and where the bundle's generator has no stage that
    attends to words.
    """
    sentence, ids, _ = words_to_paint(text, bundle)
    painting = compose(ids, chain, round_, bundle, choose_device(device), threads)
    if not painting.attention:
        raise UserError(
            f"{out}: the generator of the bundle {bundle.name} has one stage only; "
            "attention to words begins with the second."
        )
    words = bundle.words["text_encoder"].spell(ids)
    picture = pixels_of(painting.pictures[-1]).numpy()  # (S, S, 3)
    looked = [stage[0].float().cpu().numpy() for stage in painting.attention]  # (T, s, s) each
    with written(out) as part:
        compose_figure(picture, words, looked, sentence).savefig(part, format="png", dpi=110)


def compose_figure(
    picture: np.ndarray, words: list[str], looked: list[np.ndarray], caption: str
) -> Figure:
    """For each stage: the words most attended to beside the picture, then every word.

    `picture` (S, S, 3) of bytes; `looked` has (T, s, s) for each stage, of which the T shares of
    each place add up to 1.
    """
    figure = Figure(figsize=(11, 0.6 + 3.6 * len(looked)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"“{caption}”", fontsize=13)
    stages = figure.subfigures(len(looked), 1, squeeze=False)[:, 0]
    for number, (part, shares) in enumerate(zip(stages, looked, strict=True), 2):
        side = picture.shape[0]
        part.suptitle(
            f"Stage {number}: what the words looked at when it painted "
            f"{2 * shares.shape[1]} × {2 * shares.shape[1]} pixels",
            fontsize=10,
        )
        _stage(part, picture, words, np.stack([_enlarged(share, side) for share in shares]))
    return figure


def most_attended(shares: np.ndarray) -> list[int]:
    """The words, given as (T, S, S), in the order of the attention that they got in all."""
    return np.argsort(-shares.sum(axis=(1, 2)), kind="stable").tolist()


def _stage(part: SubFigure, picture: np.ndarray, words: list[str], shares: np.ndarray) -> None:
    scale = Normalize(shares.min(), shares.max())
    columns = max(len(words), MOST + 1)
    grid = part.add_gridspec(2, columns * (MOST + 1), height_ratios=[1.6, 1])
    wide, narrow = columns, MOST + 1
    axes = []
    panel = part.add_subplot(grid[0, :wide])
    _show(panel, picture, "painted")
    axes.append(panel)
    for place, word in enumerate(most_attended(shares)[:MOST], 1):
        panel = part.add_subplot(grid[0, place * wide : (place + 1) * wide])
        share = shares[word].mean()
        _show(panel, _heated(picture, shares[word], scale), f"{words[word]}  {share:.0%}")
        axes.append(panel)
    for place, word in enumerate(words):
        panel = part.add_subplot(grid[1, place * narrow : (place + 1) * narrow])
        _show(panel, _heated(picture, shares[place], scale), word, size=8)
        axes.append(panel)
    bar = part.colorbar(ScalarMappable(scale, HEAT), ax=axes, shrink=0.85, pad=0.01)
    bar.set_label("share of a place's attention (white: no preference)", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.ax.axhline(1 / len(words), color="white", linewidth=2)  # where no word is preferred


def _show(panel: Axes, picture: np.ndarray, title: str, size: int = 10) -> None:
    panel.imshow(picture, interpolation="nearest")
    panel.set_title(title, fontsize=size, pad=3)
    panel.set_axis_off()


def _enlarged(share: np.ndarray, side: int) -> np.ndarray:
    """(s, s) to (side, side), without steps."""
    return np.asarray(Image.fromarray(share).resize((side, side), Image.Resampling.BICUBIC)).clip(0)


def _heated(picture: np.ndarray, share: np.ndarray, scale: Normalize) -> np.ndarray:
    """The picture in grey beneath the heat of a word, (S, S, 3) in [0, 1]."""
    grey = picture.astype(np.float32).mean(axis=2, keepdims=True) / 255
    heat = colormaps[HEAT](scale(share))[..., :3]
    return SHARE * heat + (1 - SHARE) * grey
