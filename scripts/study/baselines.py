"""How much of a drift is the loop's own: MCD beside three baselines.

- the painter alone: the first caption is painted again and again, with new noise (chains ~repeat)
- shuffled: captions and pictures of the chains of other bases, which is the level of chance
- one caption: all bases beside the chain whose last caption is the commonest, as if every loop had
  come to the same
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from scripts.drift.measures import CURVES
from scripts.study import intervals
from scripts.study.chains import by_bundle, by_chain
from scripts.study.chance import Chance
from scripts.study.semantic_drift import GENERATIONS, MAPPINGS, Comparison, curve_of
from scripts.tables import Row, read_rows, write_rows

ALONE = "repeat"


def table(rows: Iterable[Row], chance: Chance, generations: int = GENERATIONS) -> list[Row]:
    """For each bundle and mapping: MCD of the loop, and of the three baselines."""
    groups = by_bundle(rows)
    found: list[Row] = []
    for bundle, group in groups.items():
        if bundle.endswith(f"~{ALONE}"):
            continue
        alone = groups.get(f"{bundle.partition('~')[0]}~{ALONE}", [])
        for name, mapping in MAPPINGS.items():
            loop = curve_of(group, mapping, generations)
            if loop is None:
                continue
            own = [row for row in group if row["first"] == mapping.first]
            levels = [
                level
                for round_, level in chance.levels(own, mapping.column).items()
                if 0 < 2 * round_ - mapping.shift <= generations
            ]
            painter = _mcd(alone, mapping, generations)
            row: Row = {"bundle": bundle, "mapping": name}
            row |= dict(zip(("loop", "loop_low", "loop_high"), _mcd(group, mapping, generations),
                            strict=True))  # fmt: skip
            row |= dict(zip(("painter", "painter_low", "painter_high"), painter, strict=True))
            row["shuffled"] = float(np.mean(levels)) if levels else None
            row["one_caption"] = _one_caption(own, chance, mapping)
            found.append(row)
    return found


def _mcd(
    rows: Sequence[Row], mapping: Comparison, generations: int
) -> tuple[float | None, float | None, float | None]:
    curve = curve_of(rows, mapping, generations)
    if curve is None:
        return None, None, None
    value, without = float(curve.means().mean()), curve.without().mean(axis=1)
    at = intervals.about(value, without, curve.chains, limits=(-1.0, 1.0))
    return at.value, at.low, at.high


def _one_caption(rows: Sequence[Row], chance: Chance, mapping: Comparison) -> float | None:
    """The mean cosine of all starts and the end of the chain with the commonest last caption."""
    start, end = CURVES[mapping.column].pair
    chains = by_chain(rows)
    if not all(name in chance.vectors for name in chains):
        return None
    ends = Counter(str(chain[-1]["caption"]) for chain in chains.values())
    commonest = min(ends, key=lambda caption: (-ends[caption], caption))
    goal = next(
        (
            chance.vectors[name][end][-1]
            for name, chain in chains.items()
            if chain[-1]["caption"] == commonest and end in chance.vectors[name]
        ),
        None,
    )
    kind = start.removeprefix("first_")
    begun = [
        vectors[kind][0] if start.startswith("first_") else vectors[kind]
        for vectors in (chance.vectors[name] for name in chains)
        if kind in vectors
    ]
    if goal is None or not begun or not np.isfinite(goal).all():
        return None
    return float(np.nanmean(np.stack(begun) @ goal))


def write(
    chains: Path | str, vectors: Sequence[Path | str], out: Path | str, generations: int
) -> None:
    """Write baselines.tsv of a study."""
    rows = read_rows(chains)
    found = table(rows, Chance.read(rows, vectors), generations)
    write_rows(found or [{"bundle": "none", "mapping": None}], out)
