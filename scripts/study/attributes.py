"""How long attributes last: compliance by round, in the manner of MGG, and half-lives.

MGG (arXiv 2509.04438) asks at each generation whether what was asked for is still there. Here what
is asked for is what a chain's first caption says, and a caption's own words answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts import plots
from scripts.study.chains import by_bundle
from scripts.study.curves import draw as draw_curves
from scripts.study.curves import table as means
from scripts.tables import Row, read_rows, write_rows


def write(chains: Path | str, compliance: Path | str, halves: Path | str) -> None:
    """Write compliance by round (attributes.tsv) and the half-lives of attributes."""
    rows = read_rows(chains)
    kept = [column for column in rows[0] if column.endswith("_kept")]
    curves = means(rows, kept) or [_nothing()]
    write_rows(curves, compliance)
    found: list[Row] = []
    for bundle, group in by_bundle(curves).items():
        for measure in dict.fromkeys(row["measure"] for row in group):
            own = [row for row in group if row["measure"] == measure and row["mean"] is not None]
            if not own:
                continue
            life = half_life([row["round"] for row in own], [row["mean"] for row in own])
            later = [row for row in own if row["round"] > 1]  # round 1 keeps all by definition
            asked = sum(row["chains"] for row in later)
            pooled = sum(row["mean"] * row["chains"] for row in later) / asked if asked else None
            found.append(
                {
                    "bundle": bundle,
                    "attribute": str(measure).removesuffix("_kept"),
                    "pooled": pooled,
                    "last": own[-1]["mean"],
                    "half_life": life,
                    "note": None if life else f"more than half is kept in round {own[-1]['round']}",
                }
            )
    write_rows(found or [{"bundle": None, "note": "no bundle has attributes.yaml"}], halves)


def half_life(rounds: Sequence[int], kept: Sequence[float]) -> float | None:
    """The round in which half of the chains have lost an attribute, between rounds by a straight
    line; None if more than half keep it to the end. Round 1 keeps all by definition.
    """
    pairs = list(zip(rounds, kept, strict=True))
    for (before, high), (after, low) in zip(pairs, pairs[1:], strict=False):
        if high > 0.5 >= low:
            return before + (high - 0.5) / (high - low) * (after - before)
    return None


def _nothing() -> Row:
    gaps: Row = dict.fromkeys(("bundle", "measure", "round", "chains", "mean", "low", "high"))
    return {**gaps, "bundle": "none", "measure": "no bundle has attributes.yaml"}


def draw(compliance: Path | str, out: Path | str) -> None:
    """Draw attributes.tsv as an SVG: a panel for each attribute."""
    rows = [row for row in read_rows(compliance) if row["mean"] is not None]
    if not rows:
        sheet, axes = plots.figure(2)
        plots.say(axes[0, 0], "no bundle of this study has attributes.yaml")
        plots.save(sheet, out)
        return
    names = dict.fromkeys(str(row["measure"]) for row in rows)
    titles = {name: (name.removesuffix("_kept"), "share of chains") for name in names}
    draw_curves(compliance, out, titles, "What captions still say as round 1's did", level=0.5)
