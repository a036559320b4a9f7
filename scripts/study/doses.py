"""Doses and responses: what is left in the last round, by the level of a channel."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scripts import plots
from scripts.channel import KINDS
from scripts.drift.measures import CURVES
from scripts.study.chains import by
from scripts.tables import BASE, KEPT, TRUE, Row, read_rows, write_rows

SHOWN = ("cosine_first", "meaning_base", "caption_base", "pixels_base")  # beside attributes
COLUMNS = ("played_by", "channel", "level", "first", "measure", "round", "chains", "bases",
           "mean", "low", "high", "chance")  # fmt: skip
LABELS = {KEPT: "round 1's caption", TRUE: "the base", BASE: ""}


def table(curves: Iterable[Row]) -> list[Row]:
    """The last round's rows of curves.tsv and attributes.tsv, by bundle, channel and level.

    A bundle without a channel is level NA of every channel that it was played with. Channels of
    several disturbances have no one level, and are left out.
    """
    lasts = [
        group[-1]
        for group in by((row for row in curves if row["mean"] is not None),
                        "bundle", "first", "measure").values()
    ]  # fmt: skip
    levels = {(bundle, channel) for row in lasts for bundle, channel, _ in [dose(row["bundle"])]}
    found: list[Row] = []
    for row in lasts:
        bundle, channel, level = dose(row["bundle"])
        played = [channel] if channel else sorted(c for b, c in levels if b == bundle and c)
        rest = {name: row[name] for name in COLUMNS[3:]}
        found += [{"played_by": bundle, "channel": kind, "level": level, **rest} for kind in played]
    return sorted(found, key=_order)


def dose(played_by: object) -> tuple[str, str, float | None]:
    """Bundle, kind of disturbance and level of what a study calls `storybook~blur-2`."""
    bundle, _, passage = str(played_by).partition("~")
    kind, _, level = passage.partition("-")
    if not passage:
        return bundle, "", None
    if "~" in passage or kind not in KINDS:
        return str(played_by), "", None
    return bundle, kind, float(level)


def _order(row: Row) -> tuple:
    """By bundle, channel and measure, then from what loses least to what loses most."""
    sign = -1 if KINDS[str(row["channel"])].falling else 1
    level = float("-inf") if row["level"] is None else sign * float(row["level"])
    return row["played_by"], row["channel"], row["first"], row["measure"], level


def write(curves: Path | str, attributes: Path | str, out: Path | str) -> None:
    """Write doses.tsv of a study's curves.tsv and attributes.tsv."""
    nothing: Row = {**dict.fromkeys(COLUMNS), "played_by": "none", "first": "image"}
    write_rows(table([*read_rows(curves), *read_rows(attributes)]) or [nothing], out)


def draw(doses: Path | str, out: Path | str) -> None:
    """Draw doses.tsv as an SVG: a line of panels for each measure, a column for each channel."""
    rows = [row for row in read_rows(doses) if row["mean"] is not None]
    rows = [row for row in rows if row["measure"] in SHOWN or str(row["measure"]).endswith(TRUE)
            or (str(row["measure"]).endswith(KEPT) and not _truth_of(row, rows))]  # fmt: skip
    if not rows:
        sheet, axes = plots.figure(2)
        plots.say(axes[0, 0], "no chain of this study was played through a channel")
        plots.save(sheet, out)
        return
    channels = [channel for (channel,) in by(rows, "channel")]
    measures = [measure for (measure,) in by(rows, "measure")]
    kinds = [*by(rows, "played_by", "first")]
    sheet, axes = plots.figure(2.1 * len(measures) + 0.7, len(measures), len(channels))
    for line, measure in zip(axes, measures, strict=True):
        for panel, channel in zip(line, channels, strict=True):
            own = [r for r in rows if r["measure"] == measure and r["channel"] == channel]
            levels = [*dict.fromkeys(row["level"] for row in sorted(own, key=_order))]
            levels.sort(key=lambda level: -1 if level is None else 0)
            for key, group in by(own, "played_by", "first").items():
                number = kinds.index(key)
                places = [levels.index(row["level"]) + 0.06 * number for row in group]
                means = [row["mean"] for row in group]
                plots.line(panel, number, places, means, f"{key[0]}, from {key[1]}s")
                for position, row in zip(places, group, strict=True):
                    if row["low"] is not None:
                        panel.plot([position] * 2, [row["low"], row["high"]], linewidth=1,
                                   color=plots.colour(number))  # fmt: skip
            panel.set_xticks(
                range(len(levels)),
                ["none" if level is None else f"{level:g}" for level in levels],
            )
            panel.set_ylim(min(0, *(row["low"] or 0 for row in own)) if own else 0, 1.05)
            panel.set_title(f"{_said(str(measure))}, {channel}", fontsize=8, loc="left")
            panel.set_xlabel(KINDS[str(channel)].about, fontsize=7)
            panel.tick_params(labelsize=8)
    sheet.suptitle("What is left in the last round, by the level of the channel", fontsize=11)
    plots.legend(sheet, [f"{bundle}, from {first}s" for bundle, first in kinds])
    plots.save(sheet, out)


def _truth_of(row: Row, rows: list[Row]) -> bool:
    true = str(row["measure"]).removesuffix(KEPT) + TRUE
    return any(other["measure"] == true for other in rows)


def _said(measure: str) -> str:
    if measure in CURVES:
        return CURVES[measure].what
    return f"{measure[: -len(KEPT)]}, against {LABELS[measure[-len(KEPT) :]]}"
