"""Where chains end: captions that many come to, when they settle, and cycles."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill

import numpy as np

from scripts import plots
from scripts.study import intervals
from scripts.study.chains import by, by_bundle, by_chain
from scripts.tables import KEPT, Row, read_rows, write_rows

SHOWN = 10  # captions of a bundle in the plot
AT_LEAST = 2  # times that a cycle must be gone through to be seen at all
CYCLES, ROUNDS = 3, 6  # of repetition, from which on a chain counts as settled
LOOKED_AT = (0.25, 0.4, 0.5, 0.6, 0.75)  # of a chain: where it is asked whether it has settled


@dataclass(frozen=True)
class Rest:
    """From which round on a chain repeats itself, and after how many rounds again.

    `cycles` is how often it goes through its cycle, and `settled` whether that is enough to say so.
    """

    since: int | None  # None: it does not, within the rounds that were played
    period: int | None  # 1: always the same
    cycles: float | None = field(default=None, compare=False)
    settled: bool = field(default=False, compare=False)


def rest(said: Sequence[Hashable]) -> Rest:
    """When a sequence of what rounds say begins to repeat, to its end.

    It must go through its cycle AT_LEAST times. Of all cycles the one counts that explains the most
    rounds, and of several such ones the shortest: ABBABB is ABB twice, not B twice. A chain has
    settled if it goes through the cycle CYCLES times, in ROUNDS rounds, and has not left it before
    after as many.
    """
    total = len(said)
    best = (0, 0)  # rounds that repeat, and the period with its sign turned
    for period in range(1, total // AT_LEAST + 1):
        since = total - period
        while since > 0 and said[since - 1] == said[since - 1 + period]:
            since -= 1
        if total - since >= AT_LEAST * period:
            best = max(best, (total - since, -period))
    rounds, period = best[0], -best[1]
    if not rounds:
        return Rest(None, None)
    settled = rounds >= max(CYCLES * period, ROUNDS) and _left_before(said, rounds, period) < rounds
    return Rest(total - rounds + 1, period, rounds / period, settled)


def _left_before(said: Sequence[Hashable], rounds: int, period: int) -> int:
    """The most rounds of a repetition with this period that ended before the last one began."""
    longest = run = 0
    for position in range(len(said) - rounds - 1):
        run = run + 1 if said[position] == said[position + period] else 0
        longest = max(longest, run + period if run else 0)
    return longest


def facts_of(chain: Sequence[Row]) -> list[tuple] | None:
    """What each round says of all attributes; None if there are none."""
    names = [column.removesuffix(KEPT) for column in chain[0] if column.endswith(KEPT)]
    return [tuple(row[name] for name in names) for row in chain] if names else None


def chains(rows: Iterable[Row]) -> list[Row]:
    """For each chain: its last caption, and when captions and attributes settle."""
    found: list[Row] = []
    for (bundle, name), group in by_chain(rows).items():
        row: Row = {
            "chain": name,
            "bundle": bundle,
            "image": group[0].get("image", name),
            "first": group[0].get("first", "image"),
            "rounds": len(group),
            "ends_in": group[-1]["caption"],
        }
        facts = facts_of(group)
        for what, verb, said in (
            ("caption", "settles", [one["caption"] for one in group]),
            ("attributes", "settle", facts),
        ):
            at = rest(said) if said else Rest(None, None)
            row[f"{what}_{verb}"] = at.since if at.settled else None
            row[f"{what}_period"] = at.period if at.settled else None
            row[f"{what}_cycles"] = at.cycles
        found.append(row)
    return found


def stays(rows: Iterable[Row]) -> list[Row]:
    """How far "settled" can be trusted: of chains called so in an earlier round, how many stay.

    A chain is cut at a share of its rounds, and asked for whether it has settled there; it stays if
    it goes on in that cycle to its end.
    """
    found: list[Row] = []
    for (bundle, first), group in by(rows, "bundle", "first").items():
        chains_ = by_chain(group).values()
        for what in ("caption", "attributes"):
            for part in LOOKED_AT:
                called, bases = [], []
                for chain in chains_:
                    said = [row["caption"] for row in chain] if what == "caption" else None
                    said = said or facts_of(chain)
                    cut = round(part * len(chain))
                    at = rest(said[:cut]) if said else Rest(None, None)
                    if at.settled and cut < len(chain):
                        cycle = said[at.since - 1 : at.since - 1 + at.period]
                        ahead = said[at.since - 1 :]
                        called.append(
                            all(one == cycle[n % at.period] for n, one in enumerate(ahead))
                        )
                        bases.append(str(chain[0]["image"]))
                if not called:
                    continue
                share = intervals.of_mean(called, bases, share=True)
                found.append(
                    {
                        "bundle": bundle, "first": first, "what": what, "seen": part,
                        "chains": len(chains_), "called_settled": len(called),
                        "bases": share.bases, "stay": share.value, "low": share.low,
                        "high": share.high,
                    }
                )  # fmt: skip
    return found


def shares(settled: Iterable[Row]) -> list[Row]:
    """For each bundle and last caption: chains that end in it, and bases that reach it."""
    found: list[Row] = []
    for bundle, group in by_bundle(settled).items():
        bases = np.array([str(row["image"]) for row in group])
        ends = np.array([str(row["ends_in"]) for row in group], object)
        counted = [(caption, ends == caption) for caption in dict.fromkeys(ends)]
        for caption, here in sorted(counted, key=lambda pair: (-pair[1].sum(), pair[0])):
            share = intervals.of_mean(here, bases, share=True)
            found.append(
                {
                    "bundle": bundle, "caption": caption, "chains": int(here.sum()),
                    "share": share.value, "low": share.low, "high": share.high,
                    "bases": len(set(bases[here])),
                    "base_share": len(set(bases[here])) / len(set(bases)),
                }
            )  # fmt: skip
    return found


def write(table: Path | str, ends: Path | str, out: Path | str, stay: Path | str) -> None:
    """Write where each chain of a study ends, the share of each end, and who stays settled."""
    rows = read_rows(table)
    settled = chains(rows)
    write_rows(settled, ends)
    write_rows(shares(settled), out)
    columns = ("first", "what", "seen", "chains", "called_settled", "bases", "stay", "low", "high")
    nothing: Row = {"bundle": "none", **dict.fromkeys(columns), "first": "image"}
    write_rows(stays(rows) or [nothing], stay)


def draw(shares: Path | str, out: Path | str) -> None:
    """Draw the commonest ends of each bundle as an SVG."""
    groups = by_bundle(read_rows(shares))
    bars = [min(len(group), SHOWN) for group in groups.values()]
    sheet, axes = plots.figure(
        0.32 * sum(bars) + 0.9 * len(bars) + 0.5, len(groups), 1,
        gridspec_kw={"height_ratios": [count + 1 for count in bars]},
    )  # fmt: skip
    for panel, (number, (bundle, group)) in zip(axes[:, 0], enumerate(groups.items()), strict=True):
        top = group[:SHOWN][::-1]
        total = sum(row["chains"] for row in group)
        places = range(len(top))
        panel.barh(places, [100 * row["share"] for row in top], color=plots.colour(number))
        panel.set_yticks(places, [fill(str(row["caption"]), 48) for row in top])
        for position, row in zip(places, top, strict=True):
            reached = f" {row['bases']} base{'s' if row['bases'] > 1 else ''}"
            panel.text(100 * row["share"], position, reached, va="center", fontsize=7)
        panel.tick_params(axis="y", labelsize=8)
        panel.set_xlabel(f"share of {total} chains, %; behind each, how many bases reach it",
                         fontsize=9)  # fmt: skip
        panel.set_title(f"{bundle}: {len(group)} different last captions", fontsize=10, loc="left")
    sheet.suptitle("The captions that chains end in", fontsize=11)
    plots.save(sheet, out)
