"""Where chains end: captions that many come to, when they settle, and cycles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from scripts import plots
from scripts.study.chains import by_bundle, by_chain
from scripts.tables import Row, read_rows, write_rows

SHOWN = 10  # captions of a bundle in the plot
AT_LEAST = 2  # times that something must be repeated to count as settled


@dataclass(frozen=True)
class Rest:
    """From which round on a chain repeats itself, and after how many rounds again."""

    since: int | None  # None: it does not, within the rounds that were played
    period: int | None  # 1: always the same


def rest(said: Sequence[Hashable]) -> Rest:
    """When a sequence of what rounds say begins to repeat, to its end.

    It must go through its cycle AT_LEAST times, or nothing is said. Of all cycles the shortest
    counts.
    """
    total = len(said)
    for period in range(1, total // AT_LEAST + 1):
        since = total - period
        while since > 0 and said[since - 1] == said[since - 1 + period]:
            since -= 1
        if total - since >= AT_LEAST * period:
            return Rest(since + 1, period)
    return Rest(None, None)


def chains(rows: Iterable[Row]) -> list[Row]:
    """For each chain: its last caption, and when captions and attributes settle."""
    found: list[Row] = []
    for name, group in by_chain(rows).items():
        kept = [column.removesuffix("_kept") for column in group[0] if column.endswith("_kept")]
        words = rest([row["caption"] for row in group])
        facts = (
            rest([tuple(row[name] for name in kept) for row in group]) if kept else Rest(None, None)
        )
        found.append(
            {
                "chain": name,
                "bundle": group[0]["bundle"],
                "rounds": len(group),
                "ends_in": group[-1]["caption"],
                "caption_settles": words.since,
                "caption_period": words.period,
                "attributes_settle": facts.since,
                "attributes_period": facts.period,
            }
        )
    return found


def write(table: Path | str, ends: Path | str, out: Path | str) -> None:
    """Write where each chain of a study ends, and the share of each end (attractors.tsv)."""
    settled = chains(read_rows(table))
    write_rows(settled, ends)
    shares: list[Row] = []
    for bundle, group in by_bundle(settled).items():
        counts = Counter(row["ends_in"] for row in group)
        for caption, number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
            share = number / len(group)
            shares.append({"bundle": bundle, "caption": caption, "chains": number, "share": share})
    write_rows(shares, out)


def draw(shares: Path | str, out: Path | str) -> None:
    """Draw the commonest ends of each bundle as an SVG."""
    groups = by_bundle(read_rows(shares))
    bars = [min(len(group), SHOWN) for group in groups.values()]
    sheet, axes = plots.figure(0.32 * sum(bars) + 0.9 * len(bars) + 0.5, len(groups), 1)
    for panel, (number, (bundle, group)) in zip(axes[:, 0], enumerate(groups.items()), strict=True):
        top = group[:SHOWN][::-1]
        total = sum(row["chains"] for row in group)
        panel.barh(
            [fill(str(row["caption"]), 48) for row in top], [100 * row["share"] for row in top],
            color=plots.COLOURS[number % len(plots.COLOURS)],
        )  # fmt: skip
        panel.tick_params(axis="y", labelsize=8)
        panel.set_xlabel(f"share of {total} chains, %", fontsize=9)
        panel.set_title(f"{bundle}: {len(group)} different last captions", fontsize=10, loc="left")
    sheet.suptitle("The captions that chains end in", fontsize=11)
    plots.save(sheet, out)
