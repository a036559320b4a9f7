"""Mean curves of a study over its chains, with bands of confidence."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from scripts import plots
from scripts.study.chains import by_bundle
from scripts.tables import Row, read_rows, write_rows

RESAMPLES = 1000
CONFIDENCE = 0.95
MEASURES = {  # of each column of drift.tsv: what it compares, and its unit
    "cosine_first": ("caption and round 1's, in meaning", "cosine"),
    "bleu_first": ("caption and round 1's, in words", "BLEU-4"),
    "meaning_base": ("picture and base, in meaning", "cosine"),
    "pixels_base": ("picture and base, in pixels", "1 − difference"),
    "agreement": ("picture and its own caption", "cosine"),
    "caption_base": ("caption and base picture", "cosine"),
}


def band(values: np.ndarray, bases: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Mean of values (N,), and the ends of its percentile bootstrap interval.

    Bases are drawn anew, not chains, since chains that began with one picture are no independent
    samples (cluster bootstrap; Davison and Hinkley 1997, section 3.8). With one base only, there
    is no interval: its ends are nan.
    """
    known, member = np.unique(bases, return_inverse=True)
    if len(known) < 2:
        return float(values.mean()), np.nan, np.nan
    sums = np.bincount(member, weights=values)
    counts = np.bincount(member)
    drawn = np.random.default_rng(seed).integers(len(known), size=(RESAMPLES, len(known)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tails = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(values.mean()), float(tails[0]), float(tails[1])


def table(rows: Iterable[Row], measures: Iterable[str]) -> list[Row]:
    """For each bundle, measure and round: mean, band and number of chains."""
    found: list[Row] = []
    for bundle, group in by_bundle(rows).items():
        for measure in measures:
            for round_ in sorted({row["round"] for row in group}):
                at = [
                    row for row in group if row["round"] == round_ and row.get(measure) is not None
                ]
                if not at:
                    continue
                values = np.array([float(row[measure]) for row in at])
                mean, low, high = band(values, np.array([str(row["image"]) for row in at]))
                found.append(
                    {
                        "bundle": bundle,
                        "measure": measure,
                        "round": round_,
                        "chains": len(at),
                        "mean": mean,
                        "low": None if np.isnan(low) else low,
                        "high": None if np.isnan(high) else high,
                    }
                )
    return found


def write(chains: Path | str, out: Path | str) -> None:
    """Write curves.tsv of a study's table."""
    write_rows(table(read_rows(chains), MEASURES), out)


def draw(
    curves: Path | str,
    out: Path | str,
    names: dict[str, tuple[str, str]],
    title: str,
    level: float | None = None,
) -> None:
    """Draw curves.tsv as an SVG: a panel for each measure of `names` that has a curve.

    `names` has title and unit of each; `level` is a line to be drawn across.
    """
    rows = read_rows(curves)
    there = [measure for measure in names if any(row["measure"] == measure for row in rows)]
    bundles = [*by_bundle(rows)]
    columns = 2 if len(there) > 1 else 1
    lines = -(-len(there) // columns)
    sheet, axes = plots.figure(2.6 * lines + 0.7, lines, columns, sharex=True)
    for panel in axes.flat[len(there) :]:
        panel.set_visible(False)
    for panel, measure in zip(axes.flat, there, strict=False):
        what, unit = names[measure]
        own = [row for row in rows if row["measure"] == measure]
        counts = _range([row["chains"] for row in own])
        panel.set_title(f"{what} ({counts} chains)", fontsize=10, loc="left")
        panel.set_ylabel(unit, fontsize=9)
        for bundle, group in by_bundle(own).items():
            number = bundles.index(bundle)
            rounds = [row["round"] for row in group]
            plots.line(panel, number, rounds, [row["mean"] for row in group], bundle)
            if all(row["low"] is not None for row in group):
                panel.fill_between(
                    rounds, [row["low"] for row in group], [row["high"] for row in group],
                    color=plots.COLOURS[number % len(plots.COLOURS)], alpha=0.18, linewidth=0,
                )  # fmt: skip
        lowest = min([0, *(row["mean"] if row["low"] is None else row["low"] for row in own)])
        panel.set_ylim(lowest, 1.05)
        if level is not None:
            panel.axhline(level, color="#888", linewidth=1, linestyle=":")
        panel.set_xlabel("round", fontsize=9)
        panel.tick_params(labelbottom=True)
    banded = any(row["low"] is not None for row in rows)
    bands = f", and {CONFIDENCE:.0%} bands over bases" if banded else ""
    sheet.suptitle(f"{title}: means{bands}", fontsize=11)
    plots.legend(sheet, bundles)
    plots.save(sheet, out)


def _range(numbers: Collection[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"
