"""Loss curves of a training, as a picture."""

import csv
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from scripts.files import written


def draw(table: Path, picture: Path) -> None:
    """Draw each column of losses.tsv (step, seconds, losses …) over the steps, as a PNG."""
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    names = [name for name in rows[0] if name not in ("step", "seconds")]
    steps = [int(row["step"]) for row in rows]
    figure = Figure(figsize=(7, 2.2 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for panel, name in zip(axes, names, strict=True):
        losses = [float(row[name]) for row in rows]
        panel.plot(steps, losses, color="#0072b2", linewidth=1.2)
        panel.set_ylabel(name)
        panel.grid(alpha=0.3)
        if min(losses) > 0 and max(losses) > 5 * min(losses):
            panel.set_yscale("log")
    axes[-1].set_xlabel("batches")
    axes[0].set_title(f"Losses of {table.parent.name}, means of 100 batches")
    with written(picture) as part:
        figure.savefig(part, format="png", dpi=100)
