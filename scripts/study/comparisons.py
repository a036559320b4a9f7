"""Two bundles over the bases that both have played, in pairs: comparisons.tsv.

A base that is hard for both counts for neither, so pairs tell smaller differences apart than two
intervals side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import numpy as np

from scripts.drift.measures import CURVES
from scripts.study import intervals
from scripts.study.attributes import columns_of
from scripts.study.chains import by
from scripts.study.semantic_drift import GENERATIONS, MAPPINGS
from scripts.tables import Row, read_rows, write_rows

COLUMNS = ("bundle", "other", "first", "measure", "round", "bases", "difference", "low", "high")
Cells = dict[int, dict[str, float]]  # by round and base: the mean over the base's chains


def table(rows: Iterable[Row], generations: int = GENERATIONS) -> list[Row]:
    """For each two bundles whose chains began alike: how measures differ, over shared bases.

    Measures are those of the last round that both have, and MCD. What two bundles' own encoders
    measured is not compared.
    """
    rows = list(rows)
    found: list[Row] = []
    columns = [*CURVES, *columns_of(rows)]
    for first, group in by(rows, "first").items():
        own = by(group, "bundle")
        cells = {
            kind: {column: _cells(mine, column) for column in columns} for kind, mine in own.items()
        }
        for one, other in combinations(own, 2):
            same = own[one][0].get("encoder") == own[other][0].get("encoder")
            for column in columns:
                measure = CURVES.get(column)
                if measure and measure.encoded and not same:
                    continue
                low, high = measure.limits if measure else (0.0, 1.0)
                mine, theirs = cells[one][column], cells[other][column]
                shared = sorted(set(mine) & set(theirs))
                if shared and not (shared[-1] == 1 and (measure is None or measure.trivial)):
                    last = shared[-1]
                    row = _difference(mine[last], theirs[last], (low - high, high - low))
                    _add(found, row, (one[0], other[0], first[0], column, last))
                for name, mapping in MAPPINGS.items():
                    if mapping.first == first[0] and mapping.column == column:
                        row = _difference(
                            *(
                                _cumulative(part, mapping.shift, generations)
                                for part in (mine, theirs)
                            ),
                            (low - high, high - low),
                        )
                        _add(found, row, (one[0], other[0], first[0], f"MCD, {name}", None))
    return found


def _cells(rows: Iterable[Row], column: str) -> Cells:
    values: dict[int, dict[str, list[float]]] = {}
    for row in rows:
        if row.get(column) is not None:
            at = values.setdefault(int(row["round"]), {})
            at.setdefault(str(row["image"]), []).append(float(row[column]))
    return {
        round_: {base: float(np.mean(own)) for base, own in at.items()}
        for round_, at in values.items()
    }


def _cumulative(cells: Cells, shift: int, generations: int) -> dict[str, float]:
    """MCD of each base."""
    counted = [at for round_, at in cells.items() if 0 < 2 * round_ - shift <= generations]
    bases = dict.fromkeys(base for at in counted for base in at)
    return {base: float(np.mean([at[base] for at in counted if base in at])) for base in bases}


def _difference(
    mine: dict[str, float], theirs: dict[str, float], limits: tuple[float, float]
) -> Row | None:
    shared = [base for base in mine if base in theirs]
    if not shared:
        return None
    at = intervals.of_mean([mine[base] - theirs[base] for base in shared], shared, limits)
    return {"bases": at.bases, "difference": at.value, "low": at.low, "high": at.high}


def _add(found: list[Row], row: Row | None, head: tuple) -> None:
    if row:
        found.append({**dict(zip(COLUMNS, head, strict=False)), **row})


def write(chains: Path | str, out: Path | str, generations: int = GENERATIONS) -> None:
    """Write comparisons.tsv of a study."""
    nothing: Row = {**dict.fromkeys(COLUMNS), "bundle": "none", "other": "none", "first": "image"}
    write_rows(table(read_rows(chains), generations) or [nothing], out)
