"""The level of chance: what measures would say if chains were compared with the bases of others.

A cosine may be high for all captions of one manner, and an attribute be kept since all captions
say it. The level is the mean over all pairs of a chain and a base that is not its own; what a loop
keeps is what lies above it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scripts.drift.measures import CURVES
from scripts.study.chains import by_chain
from scripts.tables import Row

Chains = dict[tuple[str, str], dict[str, np.ndarray]]  # by bundle and chain: its vectors


@dataclass
class Chance:
    """Vectors of all chains of a study, from which levels of chance are computed."""

    vectors: Chains = field(default_factory=dict)

    @classmethod
    def read(cls, rows: Iterable[Row], files: Sequence[Path | str]) -> Chance:
        """Vectors of chains in the order of the rows: a file of each, or of an imported folder."""
        names = [*by_chain(rows)]
        found: Chains = {}
        for path in files:
            with np.load(path) as arrays:
                if "lengths" in arrays:
                    found |= unpack_chains(arrays, names[len(found) :])
                else:
                    found[names[len(found)]] = dict(arrays)
        return cls(found)

    def levels(self, rows: Iterable[Row], column: str) -> dict[int, float]:
        """The level of chance of a column by round, of chains of one bundle that began alike."""
        chains = by_chain(rows)
        if column.endswith(("_kept", "_true")):
            return self._of_attribute(chains, column)
        pair = CURVES[column].pair if column in CURVES else None
        if pair is None or not all(name in self.vectors for name in chains):
            return {}
        return self._of_cosine(chains, *pair)

    def _of_cosine(
        self, chains: dict[tuple[str, str], list[Row]], start: str, end: str
    ) -> dict[int, float]:
        begun, bases, later = [], [], []
        for name, chain in chains.items():
            own = self.vectors[name]
            first = own.get(start.removeprefix("first_"))
            if first is None or end not in own:
                continue
            begun.append(first[0] if start.startswith("first_") else first)
            later.append(own[end])
            bases.append(str(chain[0]["image"]))
        if len(set(bases)) < 2:
            return {}
        rounds = max(map(len, later))
        return {
            position + 1: level
            for position in range(rounds)
            if (level := mean_of_others(begun, later, bases, position)) is not None
        }

    def _of_attribute(
        self, chains: dict[tuple[str, str], list[Row]], column: str
    ) -> dict[int, float]:
        """Whether a caption says what another base's reference says, over all such pairs."""
        name = column.rpartition("_")[0]
        wanted = [(str(chain[0]["image"]), reference(chain, column)) for chain in chains.values()]
        asked = [pair for pair in wanted if pair[1] is not None]
        found = {}
        for position in range(max(map(len, chains.values()))):
            said = [
                (str(chain[0]["image"]), chain[position].get(name))
                for chain in chains.values()
                if len(chain) > position
            ]
            level = _matching(asked, said)
            if level is not None:
                found[position + 1] = level
        return found


def reference(chain: Sequence[Row], column: str) -> str | None:
    """The value that a column in _kept or _true asks for; None if nothing is known of it."""
    name = column.rpartition("_")[0]
    value = chain[0].get(name if column.endswith("_kept") else f"{name}_base")
    return None if value is None else str(value)


def _matching(asked: list[tuple[str, str]], said: list[tuple[str, str | None]]) -> float | None:
    """The share of pairs (asked of one base, said of another) that are the same."""
    of_base = Counter(base for base, _ in said)
    same = Counter((base, value) for base, value in said)
    values = Counter(value for _, value in said)
    pairs = sum(len(said) - of_base[base] for base, _ in asked)
    if not pairs:
        return None
    hits = sum(values[value] - same[(base, value)] for base, value in asked)
    return hits / pairs


def mean_of_others(
    begun: Sequence[np.ndarray], later: Sequence[np.ndarray], bases: Sequence[str], position: int
) -> float | None:
    """The mean cosine of starts and what comes later in chains of other bases."""
    total_start, total_end, number, others = 0.0, 0.0, [0, 0], []
    for base in dict.fromkeys(bases):
        mine = [index for index, other in enumerate(bases) if other == base]
        starts = [begun[index] for index in mine if np.isfinite(begun[index]).all()]
        ends = [
            later[index][position]
            for index in mine
            if len(later[index]) > position and np.isfinite(later[index][position]).all()
        ]
        start, end = np.sum(starts, axis=0), np.sum(ends, axis=0)
        total_start, total_end = total_start + start, total_end + end
        number = [number[0] + len(starts), number[1] + len(ends)]
        others.append((float(np.dot(start, end)), len(starts) * len(ends)))
    pairs = number[0] * number[1] - sum(count for _, count in others)
    if pairs <= 0:
        return None
    return float((np.dot(total_start, total_end) - sum(dot for dot, _ in others)) / pairs)


def pack_chains(chains: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Vectors of many chains as arrays to be kept in one file: `unpack_chains` takes them apart."""
    kinds = dict.fromkeys(kind for chain in chains for kind in chain)
    lengths = [[_rows(chain.get(kind)) for kind in kinds] for chain in chains]
    arrays = {
        kind: np.concatenate([np.atleast_2d(chain[kind]) for chain in chains if kind in chain])
        for kind in kinds
    }
    return {**arrays, "kinds": np.array([*kinds]), "lengths": np.array(lengths)}


def _rows(array: np.ndarray | None) -> int:
    return 0 if array is None else len(np.atleast_2d(array))


def unpack_chains(arrays, names: Sequence[tuple[str, str]]) -> Chains:
    """What was packed, by the names of the chains in their order."""
    kinds, lengths = [str(kind) for kind in arrays["kinds"]], arrays["lengths"]
    whole = {kind: arrays[kind] for kind in kinds}
    ends = np.cumsum(lengths, axis=0)
    found: Chains = {}
    for position, name in enumerate(names[: len(lengths)]):
        own = {}
        for column, kind in enumerate(kinds):
            rows = whole[kind][
                ends[position, column] - lengths[position, column] : ends[position, column]
            ]
            if len(rows):
                own[kind] = rows[0] if kind.endswith("base") else rows
        found[name] = own
    return found
