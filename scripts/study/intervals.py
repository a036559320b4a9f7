"""Intervals of 95 % confidence over bases: where a figure would lie with other bases of the kind.

Chains that began with one base are no independent samples, so the base is what is drawn from a
population, and left out or drawn anew here (a cluster).

- A mean on a scale with two ends (a share of yes and no from 0 to 1, a cosine, BLEU) has the error
  that leaving out one base at a time tells (jackknife; Efron and Stein 1981). The interval is that
  of a share (Clopper and Pearson 1934) with the effective number of observations n* that Korn and
  Graubard 1998 (Survey Methodology 24) take: with p the mean on a scale from 0 to 1 and V its
  variance, n* = p (1 - p) / V, times the square of the ratio of Student's t for the chains and for
  the bases, both less one. A share has never more effective observations than chains.
- Where all bases agree, V is 0 and tells nothing. All of K bases may miss what a part of up to
  1 - 0.025^(1/K) of their population does otherwise (the rule of three). The interval is what the
  mean would be if that part were at an end of the scale.
- The rate of a fitted curve has the BCa interval (Efron 1987) of resamples of bases.

benchmarks/coverage.py measures how often these intervals hold the true value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
NOTHING = 1e-12  # a variance that is only rounding


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its interval; None where bases are too few to tell."""

    value: float
    low: float | None
    high: float | None
    bases: int


def of_mean(
    values: Sequence[float],
    bases: Sequence[str],
    limits: tuple[float, float] = (0.0, 1.0),
    share: bool = False,
) -> Interval:
    """The mean of a value of each chain, on a scale with these ends; `share` if all are 0 or 1."""
    value, without = leave_out(np.asarray(values, float), np.asarray(bases))
    return about(value, without, len(values), limits, share)


def leave_out(values: np.ndarray, bases: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean of values (N,), and without each base in turn (K,)."""
    _, member = np.unique(bases, return_inverse=True)
    sums, counts = np.bincount(member, weights=values), np.bincount(member)
    with np.errstate(invalid="ignore"):
        return float(values.mean()), (sums.sum() - sums) / (counts.sum() - counts)


def variance(without: np.ndarray) -> float:
    """The jackknife's variance of a figure that is `without` (K,) when a base is left out."""
    bases = len(without)
    return float((bases - 1) / bases * ((without - without.mean()) ** 2).sum())


def about(
    value: float,
    without: np.ndarray,
    chains: int,
    limits: tuple[float, float] = (0.0, 1.0),
    share: bool = False,
) -> Interval:
    """The interval of a mean over chains that is `without` (K,) when a base is left out."""
    bases, (lowest, highest) = len(without), limits
    if bases < 2 or not np.isfinite(without).all():
        return Interval(value, None, None, bases)
    mean = min(max((value - lowest) / (highest - lowest), 0.0), 1.0)
    spread = variance((without - lowest) / (highest - lowest))
    if spread < NOTHING:
        missed = most_missed(bases)
        low, high = mean * (1 - missed), mean + missed * (1 - mean)
    else:
        few = special.stdtrit(max(chains - 1, 1), 1 - TAIL) / special.stdtrit(bases - 1, 1 - TAIL)
        number = mean * (1 - mean) / spread * few**2
        low, high = of_counts(mean, min(number, chains) if share else number)
    scale = highest - lowest
    return Interval(value, float(lowest + scale * low), float(lowest + scale * high), bases)


def of_counts(share: float, number: float) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share of a number, which need not be whole."""
    yes, no = share * number, (1 - share) * number
    low = special.betaincinv(yes, no + 1, TAIL) if yes > 0 else 0.0
    high = special.betaincinv(yes + 1, no, 1 - TAIL) if no > 0 else 1.0
    return float(low), float(high)


def most_missed(bases: int) -> float:
    """The largest share of a population that `bases` of it may all fail to show."""
    return 1 - TAIL ** (1 / bases)


def bca(value: float, drawn: np.ndarray, without: np.ndarray) -> tuple[float, float] | None:
    """The BCa interval of a figure: of resamples `drawn` (B,), and without each base (K,).

    None if resamples do not vary, or lie all on one side.
    """
    drawn, without = drawn[np.isfinite(drawn)], without[np.isfinite(without)]
    below = np.mean(drawn < value) + np.mean(drawn == value) / 2 if len(drawn) else 0.0
    if len(drawn) < 100 or len(without) < 3 or not 0 < below < 1:
        return None
    bias = special.ndtri(below)
    apart = without.mean() - without
    scale = (apart**2).sum() ** 1.5
    skew = (apart**3).sum() / (6 * scale) if scale > 0 else 0.0
    ends = []
    for tail in (TAIL, 1 - TAIL):
        shifted = bias + special.ndtri(tail)
        ends.append(special.ndtr(bias + shifted / (1 - skew * shifted)))
    low, high = np.quantile(drawn, ends)
    return float(low), float(high)


def resamples(bases: int, number: int, seed: int = 0) -> np.ndarray:
    """How often each base is drawn in each resample: (number, bases), rows of sum `bases`."""
    chance = np.random.default_rng(seed)
    return chance.multinomial(bases, np.full(bases, 1 / bases), size=number)


def linked(
    values: np.ndarray, lengths: np.ndarray, bases: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means by round of chains of unequal lengths, (R,), and without each base, (K, R).

    Values (N, R) are nan where there are none; lengths (N,) are the chains' rounds. A mean over
    whoever is left would jump when chains end. Here the mean in round n is moved, from there on, by
    what it lost through the chains that end with round n - 1: their share in its level. So it moves
    by the mean change of the chains that go on, as chain-linked indices of prices do. Of chains of
    one length it is the plain mean.
    """
    _, member = np.unique(bases, return_inverse=True)
    going_on = np.arange(1, values.shape[1] + 1) < lengths[:, None]  # (N, R), to the next round

    def means(where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sums, counts = np.zeros((2, member.max() + 1, values.shape[1]))
        np.add.at(sums, member, np.where(where, values, 0.0))
        np.add.at(counts, member, where)
        with np.errstate(invalid="ignore", divide="ignore"):
            return sums.sum(axis=0) / counts.sum(axis=0), (sums.sum(axis=0) - sums) / (
                counts.sum(axis=0) - counts
            )

    there = np.isfinite(values)
    found = []
    for all_, on in zip(means(there), means(there & going_on), strict=True):
        gone = np.where(np.isfinite(all_ - on), all_ - on, 0.0)[..., :-1]
        found.append(all_ + np.pad(gone.cumsum(axis=-1), [(0, 0)] * (gone.ndim - 1) + [(1, 0)]))
    return found[0], found[1]
