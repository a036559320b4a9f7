"""How chains move: transitions of attributes, diversity by round, and attraction of a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np

from scripts import plots
from scripts.drift.texts import words
from scripts.study import intervals
from scripts.study.chains import by, by_bundle, by_chain
from scripts.tables import KEPT, Row, read_rows, write_rows

SILENT = "(nothing)"  # the state of a caption that says nothing of an attribute
SHUFFLES = 50  # of bases, for the information that chance alone would show
NUMBERS = {  # of a caption, whose attraction is measured
    "words": lambda row: float(len(words(str(row["caption"])))),
    "letters": lambda row: float(len(str(row["caption"]))),
}


def transitions(rows: Iterable[Row]) -> list[Row]:
    """For each bundle and attribute: how often a value is followed by which, round by round.

    `long_run` is the share of a value after very many rounds, from the values of round 1, if the
    next value hung on the last alone (a Markov chain); where there is more than one class of values
    that chains never leave, it depends on the start.
    """
    found: list[Row] = []
    for bundle, group in by_bundle(rows).items():
        names = [column.removesuffix(KEPT) for column in group[0] if column.endswith(KEPT)]
        chains = [*by_chain(group).values()]
        for name in names:
            said = [[str(row[name] or SILENT) for row in chain] for chain in chains]
            if all(value == SILENT for chain in said for value in chain):
                continue
            found += _of_attribute(bundle, name, said)
    return found


def _of_attribute(bundle: str, name: str, said: list[list[str]]) -> list[Row]:
    states = sorted({value for chain in said for value in chain})
    position = {value: index for index, value in enumerate(states)}
    counts = np.zeros((len(states), len(states)))
    for chain in said:
        for before, after in zip(chain, chain[1:], strict=False):
            counts[position[before], position[after]] += 1
    start = np.array([sum(chain[0] == value for chain in said) for value in states], float)
    chances = stochastic(counts)
    goal = long_run(chances, start / start.sum())
    closed = closed_classes(chances)
    return [
        {
            "bundle": bundle, "attribute": name, "value": before, "to": after,
            "count": int(counts[position[before], position[after]]),
            "probability": float(chances[position[before], position[after]]),
            "start": float(start[position[before]] / start.sum()),
            "long_run": float(goal[position[before]]), "closed_classes": closed,
        }
        for before in states
        for after in states
        if before == after or counts[position[before], position[after]]
    ]  # fmt: skip


def stochastic(counts: np.ndarray) -> np.ndarray:
    """Transition probabilities of counts (S, S); a state that nothing follows stays."""
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), np.eye(len(counts)))


def long_run(chances: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The distribution (S,) that a Markov chain comes to from a start (S,), over its cycles."""
    lazy = (chances + np.eye(len(chances))) / 2  # the same stationary distribution, no cycles
    for _ in range(40):  # 2^40 steps
        lazy = lazy @ lazy
        lazy /= lazy.sum(axis=1, keepdims=True)
    return start @ lazy


def closed_classes(chances: np.ndarray) -> int:
    """How many classes of states there are that a chain never leaves."""
    from scipy.sparse.csgraph import connected_components

    number, label = connected_components(chances > 0, directed=True, connection="strong")
    leaves = [bool((chances[label == one][:, label != one] > 0).any()) for one in range(number)]
    return leaves.count(False)


def diversity(rows: Iterable[Row]) -> list[Row]:
    """For each bundle, start and round: different captions, entropy, and what they tell of bases.

    `information` is the mutual information of base and caption in bits (Shannon 1948), estimated by
    frequencies, which is too high with few chains; `information_chance` is what it would be of
    shuffled bases, and what lies above it is told by captions.
    """
    found: list[Row] = []
    for (bundle, first), group in by(rows, "bundle", "first").items():
        chains = [*by_chain(group).values()]
        for position in range(max(map(len, chains))):
            here = [chain for chain in chains if len(chain) > position]
            captions = [str(chain[position]["caption"]) for chain in here]
            bases = [str(chain[0]["image"]) for chain in here]
            chance = np.random.default_rng(position)
            shuffled = [information(chance.permutation(bases).tolist(), captions)
                        for _ in range(SHUFFLES)]  # fmt: skip
            found.append(
                {
                    "bundle": bundle, "first": first, "round": position + 1, "chains": len(here),
                    "bases": len(set(bases)), "captions": len(set(captions)),
                    "entropy": entropy(captions), "information": information(bases, captions),
                    "information_chance": float(np.mean(shuffled)),
                }
            )  # fmt: skip
    return found


def entropy(values: Iterable[Hashable]) -> float:
    """In bits, of the frequencies of values."""
    counts = np.array([*Counter(values).values()], float)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def information(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Mutual information of two sequences in bits, of their frequencies."""
    return entropy(one) + entropy(other) - entropy(zip(one, other, strict=True))


def attraction(rows: Iterable[Row]) -> list[Row]:
    """For each bundle, start and number: the regression of Perez et al. (arXiv 2407.04503).

    Last = m · first + k over chains: attraction is 1 - |m|, towards k / (1 - m); none if |m| >= 1.
    """
    found: list[Row] = []
    for (bundle, first), group in by(rows, "bundle", "first").items():
        chains = [chain for chain in by_chain(group).values() if len(chain) > 1]
        bases = np.array([str(chain[0]["image"]) for chain in chains])
        for name, number in NUMBERS.items():
            start = np.array([number(chain[0]) for chain in chains])
            end = np.array([number(chain[-1]) for chain in chains])
            if len(set(bases)) < 3 or np.ptp(start) == 0:
                continue
            _, member = np.unique(bases, return_inverse=True)
            weights = np.ones(member.max() + 1)
            slope = _slopes(start, end, weights[member][None])[0]
            drawn = _slopes(start, end, intervals.resamples(len(weights), 1000)[:, member])
            without = _slopes(start, end, (1 - np.eye(len(weights)))[:, member])
            ends = intervals.bca(float(slope), drawn, without) or (None, None)
            level = float(end.mean() - slope * start.mean())
            attracted = abs(slope) < 1
            found.append(
                {
                    "bundle": bundle, "first": first, "measure": name, "chains": len(chains),
                    "bases": len(weights), "m": float(slope), "m_low": ends[0], "m_high": ends[1],
                    "k": level, "strength": float(1 - abs(slope)) if attracted else None,
                    "position": level / float(1 - slope) if attracted else None,
                    "note": None if attracted else "no attractor: |m| is 1 or more",
                }
            )  # fmt: skip
    return found


def _slopes(start: np.ndarray, end: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The slope of end (N,) on start (N,) for each row of weights (B, N); nan if start is level."""
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = start - weights @ start[:, None] / total
        y = end - weights @ end[:, None] / total
        return (weights * x * y).sum(axis=1) / (weights * x * x).sum(axis=1)


def write(
    chains: Path | str, moves: Path | str, variety: Path | str, attracted: Path | str
) -> None:
    """Write transitions.tsv, diversity.tsv and attraction.tsv of a study."""
    rows = read_rows(chains)
    write_rows(
        transitions(rows) or [{"bundle": "none", "note": "no bundle has attributes.yaml"}], moves
    )
    write_rows(diversity(rows), variety)
    write_rows(
        attraction(rows) or [{"bundle": "none", "note": "it takes three bases of other lengths"}],
        attracted,
    )


def draw(variety: Path | str, out: Path | str) -> None:
    """Draw diversity.tsv as an SVG: a line of panels for each start."""
    rows = read_rows(variety)
    kinds = [bundle for (bundle,) in by(rows, "bundle")]
    starts = [first for (first,) in by(rows, "first")]
    sheet, axes = plots.figure(2.6 * len(starts) + 0.7, len(starts), 2)
    for line, first in zip(axes, starts, strict=True):
        own = [row for row in rows if row["first"] == first]
        for (bundle,), group in by(own, "bundle").items():
            number, rounds = kinds.index(bundle), [row["round"] for row in group]
            plots.line(line[0], number, rounds,
                       [row["captions"] / row["chains"] for row in group], bundle)  # fmt: skip
            above = [row["information"] - row["information_chance"] for row in group]
            plots.line(line[1], number, rounds, above, bundle)
        for panel, title, unit in zip(
            line,
            ("different captions", "information on the base, above chance"),
            ("share of chains", "bits"),
            strict=True,
        ):
            panel.set_title(f"{title} (from {first}s)", fontsize=9, loc="left")
            panel.set_ylabel(unit, fontsize=9)
            panel.set_xlabel("round", fontsize=9)
            panel.set_ylim(bottom=0)
    sheet.suptitle("How many different things chains say, and what they tell of their bases",
                   fontsize=11)  # fmt: skip
    plots.legend(sheet, kinds)
    plots.save(sheet, out)
