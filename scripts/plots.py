"""How all plots of the project look: colours that the colour-blind can tell, the same bytes."""

import threading
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from scripts.files import written

# Okabe and Ito 2008, without yellow, which is too pale for lines.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2)))
WIDTH = 8.0  # inches, of 100 pixels

# Names inside an SVG are drawn from this. It is a setting of the process, and set for good: one
# thread would put it back while another draws. Nor can two threads draw at once.
matplotlib.rcParams["svg.hashsalt"] = "telephonegan"
_drawing = threading.Lock()


def figure(height: float, rows: int = 1, columns: int = 1, **settings: object) -> tuple:
    """A figure of the usual width, and its axes in an array (rows, columns)."""
    sheet = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasSVG(sheet)
    axes = sheet.subplots(rows, columns, squeeze=False, **settings)
    for panel in axes.flat:
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    return sheet, axes


def colour(number: int) -> str:
    """The colour of a number; after as many as there are they begin again."""
    return COLOURS[number % len(COLOURS)]


def dash(number: int) -> str | tuple:
    """How the line of a number is dashed: otherwise where its colour has been used before."""
    return DASHES[number // len(COLOURS) % len(DASHES)]


def _look(number: int) -> dict[str, object]:
    """Colour, mark and dashes of a number: no two of 343 are alike."""
    mark = number + number // (len(COLOURS) * len(DASHES))
    return {
        "color": colour(number), "marker": MARKS[(mark + number // len(COLOURS)) % len(MARKS)],
        "linestyle": dash(number), "markersize": 4, "linewidth": 1.6,
    }  # fmt: skip


def line(
    panel: Axes, number: int, x: Sequence[float], y: Sequence[float | None], label: str
) -> None:
    """A curve with the colour and the mark of its number; None is a gap."""
    values = [np.nan if value is None else value for value in y]
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.plot(x, values, label=label, **_look(number))


def legend(sheet: Figure, labels: Sequence[str]) -> None:
    """One legend for all panels beneath them: the curves of the numbers of these labels."""
    curves = [Line2D([], [], label=label, **_look(number)) for number, label in enumerate(labels)]
    sheet.legend(handles=curves, loc="outside lower left", fontsize=8, ncols=3, frameon=False)


def say(panel: Axes, text: str) -> None:
    """Writes why there is nothing to see, in the middle of a panel."""
    panel.text(0.5, 0.5, text, ha="center", va="center", transform=panel.transAxes, color="#555")


def save(sheet: Figure, path: Path | str) -> None:
    """Writes an SVG whose bytes depend on nothing but what is in it."""
    with written(path) as part, _drawing:
        sheet.savefig(part, format="svg", metadata={"Date": None, "Creator": None})
