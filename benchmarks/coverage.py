"""How often the study's intervals of 95 % hold the true value: python benchmarks/coverage.py

Bases are drawn from populations whose mean is known, each with four chains; the table is that of
docs/drift.md. It takes a minute.
"""

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from scripts.study import intervals

BASES = (3, 6, 8, 24, 40)
CHAINS = 4
TRIES = 1000

Population = Callable[[np.random.Generator, int], np.ndarray]  # (bases, CHAINS)


def even(chance: np.random.Generator, bases: int) -> np.ndarray:
    return 0.6 + chance.normal(0, 0.1, (bases, 1)) + chance.normal(0, 0.05, (bases, CHAINS))


def skewed(chance: np.random.Generator, bases: int) -> np.ndarray:
    return 1 - chance.beta(0.7, 4, (bases, 1)) * chance.uniform(0.9, 1.1, (bases, CHAINS))


def rare(share: float) -> Population:
    return lambda chance, bases: (
        np.where(chance.random((bases, 1)) < share, 0.4, 1.0) * np.ones((bases, CHAINS))
    )


def said(share: float, alike: float) -> Population:
    """Yes or no, with a correlation of `alike` between chains of one base (beta-binomial)."""

    def draw(chance: np.random.Generator, bases: int) -> np.ndarray:
        if alike == 1:
            each = (chance.random((bases, 1)) < share).astype(float)
        elif alike == 0:
            each = np.full((bases, 1), share)
        else:
            few = (1 - alike) / alike
            each = chance.beta(few * share, few * (1 - share), (bases, 1))
        return (chance.random((bases, CHAINS)) < each).astype(float)

    return draw


POPULATIONS: dict[str, tuple[Population, float, bool]] = {
    "a cosine, evenly scattered about 0.6": (even, 0.6, False),
    "a cosine, very skewed, mean 0.851": (skewed, 1 - 0.7 / 4.7, False),
    "1, but 0.4 of every fifth base": (rare(0.2), 0.88, False),
    "1, but 0.4 of every twentieth base": (rare(0.05), 0.97, False),
    "yes of 50 %, chains of a base alike by half": (said(0.5, 0.5), 0.5, True),
    "yes of 90 %, alike by half": (said(0.9, 0.5), 0.9, True),
    "yes of 90 %, all chains of a base alike": (said(0.9, 1), 0.9, True),
    "yes of 97 %, all chains of a base alike": (said(0.97, 1), 0.97, True),
}


def coverage(draw: Population, true: float, share: bool, bases: int) -> float:
    """The share of intervals that hold the true mean."""
    chance = np.random.default_rng(bases)
    names = np.repeat(np.arange(bases), CHAINS)
    held = 0
    for _ in range(TRIES):
        at = intervals.of_mean(draw(chance, bases).ravel(), names, share=share)
        held += at.low <= true <= at.high
    return held / TRIES


def main() -> None:
    print(f"| of {TRIES} studies each | {' | '.join(f'{bases} bases' for bases in BASES)} |")
    print(f"|---|{'---|' * len(BASES)}")
    for name, (draw, true, share) in POPULATIONS.items():
        cells = [coverage(draw, true, share, bases) for bases in BASES]
        # Rounded down: no interval is better than it is.
        print(f"| {name} | {' | '.join(f'{math.floor(100 * one)} %' for one in cells)} |")


if __name__ == "__main__":
    main()
