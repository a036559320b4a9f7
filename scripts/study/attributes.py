"""How long attributes last: compliance by round, in the manner of MGG, survival and half-lives.

MGG (arXiv 2509.04438) asks at each generation whether what was asked for is still there. Here a
caption's own words answer, against two references: what is in the base, where that is known
(`_true`), and what the chain's first caption says (`_kept`), which leaves out what the first
conversion loses.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts import plots
from scripts.study.chains import by
from scripts.study.chance import Chance
from scripts.study.curves import draw as draw_curves
from scripts.study.curves import table as means
from scripts.study.survival import half_life
from scripts.study.survival import table as survivals
from scripts.tables import KEPT, TRUE, Row, read_rows, write_rows

REFERENCES = {TRUE: "the base", KEPT: "round 1's caption"}
GAPS = ("bundle", "first", "measure", "round", "chains", "bases", "mean", "low", "high", "chance")


def columns_of(rows: Sequence[Row]) -> list[str]:
    """The columns that say whether attributes hold, those against the base first."""
    return [
        name.removesuffix(KEPT) + ending
        for ending in (TRUE, KEPT)
        for name in rows[0]
        if name.endswith(KEPT) and name.removesuffix(KEPT) + ending in rows[0]
    ]


def measure(
    chains: Path | str,
    compliance: Path | str,
    survival: Path | str,
    halves: Path | str,
    plot: Path | str,
    steps: Path | str,
) -> None:
    """Write the tables of attributes, and draw two of them: compliance and survival."""
    write(chains, compliance, halves, survival)
    draw(compliance, plot)
    draw_survival(survival, steps)


def write(
    chains: Path | str, compliance: Path | str, halves: Path | str, survival: Path | str
) -> None:
    """Write compliance by round (attributes.tsv), halflife.tsv and survival.tsv."""
    rows = read_rows(chains)
    columns = columns_of(rows)
    curves = means(rows, columns, Chance())
    write_rows(curves or [_nothing()], compliance)
    write_rows(survivals(rows, columns) or [_nothing()], survival)
    found = [
        _life(bundle, first, str(measure), group)
        for (bundle, first, measure), group in by(curves, "bundle", "first", "measure").items()
    ]
    write_rows(found or [{"bundle": "none", "note": "no bundle has attributes.yaml"}], halves)


def _life(bundle: str, first: str, measure: str, own: list[Row]) -> Row:
    """One line of halflife.tsv, of a curve of attributes.tsv."""
    rounds = [row["round"] for row in own]
    life = half_life(rounds, [row["mean"] for row in own])
    ends = {
        end: half_life(rounds, [row["mean"] if row[end] is None else row[end] for row in own])
        for end in ("low", "high")
    }
    # Round 1 keeps by definition what its own caption says.
    later = [row for row in own if row["round"] > 1 or measure.endswith(TRUE)]
    asked = sum(row["chains"] for row in later)
    pooled = sum(row["mean"] * row["chains"] for row in later) / asked if asked else None
    last = own[-1]
    return {
        "bundle": bundle,
        "first": first,
        "attribute": measure.removesuffix(KEPT).removesuffix(TRUE),
        "reference": REFERENCES[measure[-len(KEPT) :]],
        "chains": own[0]["chains"],
        "bases": own[0]["bases"],
        "pooled": pooled,
        "last": last["mean"],
        "last_low": last["low"],
        "last_high": last["high"],
        "chance": last["chance"],
        "half_life": life,
        "half_life_low": ends["low"],
        "half_life_high": ends["high"],
        "note": None if life else f"more than half is kept in round {last['round']}",
    }


def _nothing() -> Row:
    gaps: Row = dict.fromkeys(GAPS)
    return {**gaps, "bundle": "none", "first": "image", "measure": "no bundle has attributes.yaml"}


def _titles(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """Of each measure, the attribute and what it is held against."""
    return {
        str(row["measure"]): (
            f"{str(row['measure'])[: -len(KEPT)]}, against {REFERENCES[str(row['measure'])[-5:]]}",
            "share of chains",
        )
        for row in rows
    }


def _shown(rows: Sequence[Row]) -> list[Row]:
    """The rows that are drawn: against the base where that is known, else against round 1."""
    known = {(row["first"], str(row["measure"])) for row in rows if row["mean"] is not None}
    return [
        row
        for row in rows
        if row["mean"] is not None
        and (row["first"], str(row["measure"]).removesuffix(KEPT) + TRUE) not in known
    ]


def draw(compliance: Path | str, out: Path | str) -> None:
    """Draw attributes.tsv as an SVG: panels for each attribute."""
    rows = _shown(read_rows(compliance))
    if not rows:
        _say_nothing(out)
        return
    draw_curves(rows, out, _titles(rows), "What captions still say", level=0.5)


def draw_survival(survival: Path | str, out: Path | str) -> None:
    """Draw survival.tsv as an SVG: steps, and beneath each panel how many chains are at risk."""
    rows = _shown(read_rows(survival))
    if not rows:
        _say_nothing(out)
        return
    kinds = [bundle for (bundle,) in by(rows, "bundle")]
    titles = _titles(rows)
    panels = by(rows, "measure", "first")
    columns = 2 if len(panels) > 1 else 1
    lines = -(-len(panels) // columns)
    listed = 0.15 * len(kinds)  # inches, of the numbers at risk
    sheet, axes = plots.figure((2.4 + listed) * lines + 0.7, lines, columns)
    for panel in axes.flat[len(panels) :]:
        panel.set_visible(False)
    for panel, ((measure, first), own) in zip(axes.flat, panels.items(), strict=False):
        last = max(row["round"] for row in own)
        shown = sorted({1, *range(max(last // 5, 1), last + 1, max(last // 5, 1)), last})
        for (bundle,), group in by(own, "bundle").items():
            number = kinds.index(bundle)
            rounds = [0, *(row["round"] for row in group)]
            panel.step(
                rounds, [1, *(row["mean"] for row in group)], where="post",
                color=plots.colour(number), linestyle=plots.dash(number), linewidth=1.6,
            )  # fmt: skip
            if len(kinds) <= 4 and all(row["low"] is not None for row in group[1:]):
                panel.fill_between(
                    rounds,
                    [1, *(row["mean"] if row["low"] is None else row["low"] for row in group)],
                    [1, *(row["mean"] if row["high"] is None else row["high"] for row in group)],
                    step="post", color=plots.colour(number), alpha=0.15, linewidth=0,
                )  # fmt: skip
            at_risk = {row["round"]: row["at_risk"] for row in group}
            for round_ in shown:
                panel.annotate(
                    str(at_risk.get(round_, 0)), (round_, 0), (0, -24 - 9 * number),
                    xycoords=("data", "axes fraction"), textcoords="offset points",
                    ha="center", fontsize=6, color=plots.colour(number), annotation_clip=False,
                )  # fmt: skip
        panel.set_xticks(shown)
        panel.set_ylim(0, 1.05)
        panel.set_xlim(0, last + 0.3)
        panel.set_title(f"{titles[measure][0]}, from {first}s", fontsize=8, loc="left")
        panel.set_ylabel("never lost so far", fontsize=8)
        panel.set_xlabel("round; beneath, chains at risk", fontsize=7, labelpad=6 + 9 * len(kinds))
    sheet.suptitle("Until an attribute is first lost (Kaplan and Meier)", fontsize=11)
    plots.legend(sheet, kinds)
    plots.save(sheet, out)


def _say_nothing(out: Path | str) -> None:
    sheet, axes = plots.figure(2)
    plots.say(axes[0, 0], "no bundle of this study has attributes.yaml")
    plots.save(sheet, out)
