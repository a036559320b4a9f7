"""Mean curves of a study over its chains, with intervals over bases."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from scripts import plots
from scripts.drift.measures import CURVES
from scripts.study import intervals
from scripts.study.chains import by, rounds_of
from scripts.study.chance import Chance
from scripts.tables import Row, read_rows, write_rows

TOGETHER = 4  # curves with bands in one panel; more have a panel each
STARTS = {"image": "from pictures", "text": "from texts"}


def table(
    rows: Iterable[Row],
    measures: Iterable[str],
    chance: Chance | None = None,
) -> list[Row]:
    """For each bundle, start, measure and round: mean, interval, chance level, chains and bases.

    Chains that began with pictures and with texts are never pooled. Attributes (columns in _kept
    and _true) are shares of yes and no.
    """
    found: list[Row] = []
    for (bundle, first), group in by(rows, "bundle", "first").items():
        for column in measures:
            values, lengths, bases = rounds_of(group, column)
            there = np.isfinite(values)
            values, lengths, bases = (part[there.any(axis=1)] for part in (values, lengths, bases))
            if not len(values):
                continue
            measure = CURVES.get(column)
            means, without = intervals.linked(values, lengths, bases)
            levels = chance.levels(group, column) if chance else {}
            for index in np.flatnonzero(np.isfinite(means)):
                at = np.isfinite(values[:, index])
                interval = intervals.about(
                    float(means[index]),
                    without[:, index],
                    int(at.sum()),
                    measure.limits if measure else (0.0, 1.0),
                    share=measure is None,
                )
                trivial = index == 0 and (measure.trivial if measure else column.endswith("_kept"))
                found.append(
                    {
                        "bundle": bundle,
                        "first": first,
                        "measure": column,
                        "round": int(index) + 1,
                        "chains": int(at.sum()),
                        "bases": len(set(bases[at])),
                        "mean": interval.value,
                        "low": None if trivial else interval.low,
                        "high": None if trivial else interval.high,
                        "chance": levels.get(int(index) + 1),
                    }
                )
    return found


def write(chains: Path | str, vectors: Sequence[Path | str], out: Path | str) -> None:
    """Write curves.tsv of a study's table."""
    rows = read_rows(chains)
    write_rows(table(rows, CURVES, Chance.read(rows, vectors)), out)


def draw_measures(curves: Path | str, out: Path | str) -> None:
    """Draw curves.tsv as an SVG."""
    titles = {name: (measure.what, measure.unit) for name, measure in CURVES.items()}
    draw(read_rows(curves), out, titles, "What chains keep")


def draw(
    curves: Iterable[Row],
    out: Path | str,
    names: Mapping[str, tuple[str, str]],
    title: str,
    level: float | None = None,
) -> None:
    """Draw rows of curves.tsv as an SVG: panels of each measure of `names` that has a curve.

    `names` has title and unit of each; `level` is a line to be drawn across. Up to TOGETHER curves
    share a panel; more are drawn in a panel each, beside the others in grey.
    """
    rows = [row for row in curves if row["mean"] is not None]
    if not rows:
        sheet, axes = plots.figure(2)
        plots.say(axes[0, 0], "nothing was measured")
        plots.save(sheet, out)
        return
    kinds = [*by(rows, "bundle")]
    starts = [first for first in STARTS if any(row["first"] == first for row in rows)]
    panels = [
        (measure, first)
        for measure in names
        for first in starts
        if any(row["measure"] == measure and row["first"] == first for row in rows)
    ]
    if len(kinds) <= TOGETHER:
        cells = [[(panel, None)] for panel in panels]
        columns = 2 if len(panels) > 1 else 1
        grid = [cell for line in cells for cell in line]
        grid = [grid[first : first + columns] for first in range(0, len(grid), columns)]
    else:
        columns = TOGETHER
        grid = []
        for panel in panels:
            own = [(panel, kind) for kind in kinds]
            grid += [own[first : first + columns] for first in range(0, len(own), columns)]
    sheet, axes = plots.figure(
        (2.6 if len(kinds) <= TOGETHER else 1.7) * len(grid) + 0.7, len(grid), columns,
        sharex=True,
    )  # fmt: skip
    for line, cells in zip(axes, grid, strict=True):
        for panel in line[len(cells) :]:
            panel.set_visible(False)
        for panel, ((measure, first), alone) in zip(line, cells, strict=False):
            what, unit = names[measure]
            own = [row for row in rows if row["measure"] == measure and row["first"] == first]
            _panel(panel, own, kinds, alone)
            lowest = min([0, *(row["mean"] if row["low"] is None else row["low"] for row in own)])
            panel.set_ylim(lowest, 1.05)
            if level is not None:
                panel.axhline(level, color="#888", linewidth=1, linestyle=":")
            begun = f", {STARTS[first]}" if len(starts) > 1 else ""
            if alone is None:
                counts = _range([row["chains"] for row in own])
                panel.set_title(f"{what}{begun}: {counts} chains", fontsize=8, loc="left")
                panel.set_ylabel(unit, fontsize=9)
                panel.set_xlabel("round", fontsize=9)
            else:  # the panels of a line share their axes, whose names are said at its ends
                said = textwrap.fill(f"{what}{begun}", 40)
                panel.set_title(f"{alone[0]}\n{said}", fontsize=6, loc="left")
                leftmost = panel is line[0]
                panel.set_ylabel(unit if leftmost else "", fontsize=7)
                panel.tick_params(labelsize=7, labelleft=leftmost)
                panel.set_xlabel("round" if cells is grid[-1] else "", fontsize=7)
                panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            panel.tick_params(labelbottom=True)
    sheet.suptitle(f"{title}: means and 95 % confidence intervals over bases",
                   fontsize=11)  # fmt: skip
    plots.legend(sheet, [kind for (kind,) in kinds])
    plots.save(sheet, out)


def _panel(panel, rows: list[Row], kinds: list[tuple], alone: tuple | None) -> None:
    """The curves of one measure; with `alone`, only that one in colour."""
    for (bundle,), group in by(rows, "bundle").items():
        number = kinds.index((bundle,))
        rounds = [row["round"] for row in group]
        means = [row["mean"] for row in group]
        if alone is not None and (bundle,) != alone:
            panel.plot(rounds, means, color="#ccc", linewidth=0.8, zorder=1)
            continue
        plots.line(panel, number, rounds, means, str(bundle))
        chance = [row["chance"] for row in group]
        if any(value is not None for value in chance):
            panel.plot(
                rounds, [np.nan if value is None else value for value in chance],
                color=plots.colour(number), linewidth=0.9, linestyle=(0, (1, 2)),
            )  # fmt: skip
        banded = [row for row in group if row["low"] is not None]
        if banded:
            panel.fill_between(
                [row["round"] for row in banded], [row["low"] for row in banded],
                [row["high"] for row in banded], color=plots.colour(number), alpha=0.18,
                linewidth=0,
            )  # fmt: skip


def _range(numbers: Collection[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"
