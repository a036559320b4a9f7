"""The drift of one chain as curves: drift.svg, from drift.tsv."""

from pathlib import Path

from scripts import plots
from scripts.drift.measures import MEASURES
from scripts.tables import Row, read_rows

PANELS = {  # title, unit, and what is said where there is nothing to show
    "captions": ("Captions: nearness in meaning", "cosine", "needs two rounds"),
    "both": (
        "Pictures and captions, as the bundle's DAMSM sees them",
        "cosine",
        "this bundle has no image encoder",
    ),
    "pictures": (
        "Pictures: likeness to the base picture",
        "cosine; 1 − difference",
        "this chain began with a text",
    ),
}


def draw(table: Path | str, out: Path | str, chain: str) -> None:
    """Writes the plot of a chain's table as an SVG. Raises UserError if there is no such table."""
    rows = read_rows(table)
    kept = [name for name in rows[0] if name.endswith("_kept") and _any(rows, name)]
    attributes = [name.removesuffix("_kept") for name in kept]
    count = len(PANELS) + bool(attributes)
    heights = [1.9] * len(PANELS) + ([0.6 + 0.42 * len(attributes)] if attributes else [])
    sheet, axes = plots.figure(
        sum(heights) + 0.6, count, 1, sharex=True, gridspec_kw={"height_ratios": heights}
    )
    rounds = [row["round"] for row in rows]
    for panel, (key, (title, unit, otherwise)) in zip(axes[:, 0], PANELS.items(), strict=False):
        panel.set_title(title, fontsize=10, loc="left")
        panel.set_ylabel(unit, fontsize=9)
        drawn = {name: one.label for name, one in MEASURES.items() if one.panel == key}
        there = {name: label for name, label in drawn.items() if _any(rows, name)}
        for number, (name, label) in enumerate(there.items()):
            plots.line(panel, number, rounds, [row[name] for row in rows], label)
        if there:
            panel.legend(fontsize=8, loc="lower left")
            panel.set_ylim(min(0, *(row[name] or 0 for row in rows for name in there)), 1.05)
        else:
            plots.say(panel, f"nothing to show: {otherwise}")
            panel.set_yticks([])
    if attributes:
        _attributes(axes[-1, 0], rows, attributes)
    axes[-1, 0].set_xlabel("round")
    axes[-1, 0].set_xticks(rounds if len(rounds) <= 20 else rounds[:: len(rounds) // 10])
    sheet.suptitle(f"What {chain} keeps, round by round", fontsize=12)
    plots.save(sheet, out)


def _any(rows: list[Row], name: str) -> bool:
    return any(row[name] is not None for row in rows)


def _attributes(panel, rows: list[Row], names: list[str]) -> None:
    """For each attribute whether captions keep it; what they say, where it changes."""
    panel.set_title(
        "What captions say: full as in round 1, hollow otherwise", fontsize=10, loc="left"
    )
    few, some = len(rows) <= 10, len(rows) <= 25
    for row_number, name in enumerate(reversed(names)):
        before: object = ""
        for row in rows:
            kept = row[f"{name}_kept"]
            if kept is None:
                continue
            colour = plots.COLOURS[0] if kept else plots.COLOURS[1]
            panel.plot(
                row["round"], row_number, "o", markersize=9 if few else 6,
                markerfacecolor=colour if kept else "white", markeredgecolor=colour,
            )  # fmt: skip
            if some and row[name] != before:
                said = str(row[name]) if row[name] is not None else "–"
                panel.annotate(
                    said, (row["round"], row_number), (0, 7), textcoords="offset points",
                    ha="center" if few else "left", fontsize=8 if few else 7,
                    rotation=0 if few else 20,
                )  # fmt: skip
            before = row[name]
    panel.set_yticks(range(len(names)), list(reversed(names)))
    panel.set_ylim(-0.6, len(names) - 0.2)
