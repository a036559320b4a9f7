"""How long attributes last: Kaplan and Meier's survival of what captions say, and half-lives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from scripts.study import intervals
from scripts.study.chains import by, by_chain
from scripts.tables import Row


def table(rows: Iterable[Row], columns: Iterable[str]) -> list[Row]:
    """For each bundle, start, attribute and round: at risk, lost, ended, and who survives.

    The event is the first caption that no longer says it (it may say it again later); a chain that
    ends before is censored (Kaplan and Meier 1958).
    """
    found: list[Row] = []
    columns = list(columns)
    for (bundle, first), group in by(rows, "bundle", "first").items():
        for column in columns:
            times, lost, bases = first_losses(by_chain(group).values(), column)
            if not len(times):
                continue
            survives, without = kaplan_meier(times, lost, bases)
            for index, share in enumerate(survives):
                round_ = index + 1
                interval = intervals.about(float(share), without[:, index], len(times), share=True)
                trivial = round_ == 1 and column.endswith("_kept")
                found.append(
                    {
                        "bundle": bundle,
                        "first": first,
                        "measure": column,
                        "round": round_,
                        "at_risk": int((times >= round_).sum()),
                        "lost": int((lost & (times == round_)).sum()),
                        "ended": int((~lost & (times == round_)).sum()),
                        "mean": float(share),
                        "low": None if trivial else interval.low,
                        "high": None if trivial else interval.high,
                        "chance": None,
                    }
                )
    return found


def first_losses(
    chains: Iterable[Sequence[Row]], column: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each chain that is asked: a round, whether the attribute was lost there, and its base.

    The round is that of the first loss, or the chain's last one.
    """
    times, lost, bases = [], [], []
    for chain in chains:
        asked = [row for row in chain if row.get(column) is not None]
        if not asked:
            continue
        gone = next((row["round"] for row in asked if not row[column]), None)
        times.append(int(gone if gone is not None else asked[-1]["round"]))
        lost.append(gone is not None)
        bases.append(str(chain[0]["image"]))
    return np.array(times, int), np.array(lost, bool), np.array(bases, str)


def kaplan_meier(
    times: np.ndarray, lost: np.ndarray, bases: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The share that survives each round, (R,), and without each base in turn, (K, R)."""
    _, member = np.unique(bases, return_inverse=True)
    rounds = np.arange(1, times.max() + 1)
    risk, gone = np.zeros((2, member.max() + 1, len(rounds)))
    np.add.at(risk, member, times[:, None] >= rounds)
    np.add.at(gone, member, (times[:, None] == rounds) & lost[:, None])

    def survive(risk: np.ndarray, gone: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.cumprod(np.where(risk > 0, 1 - gone / risk, 1.0), axis=-1)

    return (
        survive(risk.sum(axis=0), gone.sum(axis=0)),
        survive(risk.sum(axis=0) - risk, gone.sum(axis=0) - gone),
    )


def half_life(rounds: Sequence[int], kept: Sequence[float]) -> float | None:
    """The round in which half of the chains have lost an attribute, between rounds by a straight
    line; None if more than half keep it to the end. Before round 1 all keep it.
    """
    pairs = [(0, 1.0), *zip(rounds, kept, strict=True)]
    if pairs[1][1] <= 0.5:
        return float(pairs[1][0])
    for (before, high), (after, low) in zip(pairs, pairs[1:], strict=False):
        if high > 0.5 >= low:
            return before + (high - 0.5) / (high - low) * (after - before)
    return None
