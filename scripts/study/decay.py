"""Which curve a decay follows: constant, exponential, power law and step compete.

Each is fitted by least squares, and Akaike's criterion, corrected for few points (AICc; Hurvich and
Tsai 1989; Burnham and Anderson 2002, section 2.4), says which describes the points best:

    AICc = n ln(RSS / n) + 2 K + 2 K (K + 1) / (n - K - 1)

K counts a curve's parameters and the variance. Points of one study are made from the same chains
and are not independent, so a weight says which curve is better, not how probable it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

PRECISION = 1e-6  # tables hold six digits: what fits to that fits
RATES = np.geomspace(1e-3, 5, 500)  # of exponential decay, in each generation
POWERS = np.geomspace(1e-2, 5, 300)
STRAIGHT = 0.2  # b times the generations' span below which an exponential is a straight line
PARAMETERS = {"constant": 2, "exponential": 4, "power": 4, "step": 4}  # K, with the variance
FEWEST = 6  # points: with fewer, no curve of K = 4 can be told from another


@dataclass(frozen=True)
class Decay:
    """The curve that describes points best.

    `curve` is None if the points are too few to tell; `weight` is Akaike's, of that curve among the
    four. a, b, c and `straight` are those of a exp(-b g) + c, whichever curve is best.
    """

    curve: str | None
    weight: float | None
    a: float
    b: float
    c: float
    straight: bool


def shapes(curve: str, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shapes (G, n) of a curve, to which a factor and a level are fitted, and its parameters."""
    if curve == "exponential":
        return np.exp(-RATES[:, None] * (g - g[0])), RATES
    if curve == "power":
        return (g / g[0]) ** -POWERS[:, None], POWERS
    places = (g[1:] + g[:-1]) / 2
    return (g < places[:, None]).astype(float), places


def fit(
    curve: str, g: np.ndarray, s: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The best fit of a falling curve to each row of s (B, n), at g (n,).

    Returns RSS, the factor (0 where nothing falls), the parameter, and the level, (B,) each.
    """
    basis, parameters = shapes(curve, g)
    middle = basis.mean(axis=1)
    centred = basis - middle[:, None]  # (G, n)
    size = (centred**2).sum(axis=1)
    mean = s.mean(axis=1)
    about = s - mean[:, None]
    factors = np.maximum(about @ centred.T / size, 0.0)  # (B, G)
    rss = np.maximum((about**2).sum(axis=1)[:, None] - factors**2 * size, 0.0)
    best = rss.argmin(axis=1)
    rows = np.arange(len(s))
    factor = factors[rows, best]
    return rss[rows, best], factor, parameters[best], mean - factor * middle[best]


def exponential(g: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a, b and c of a exp(-b g) + c for each row of s (B, n); b is nan where nothing falls.

    The rate is refined between those of the grid by a parabola through the sums of squares.
    """
    _, factor, rate, _ = fit("exponential", g, s)
    position = np.searchsorted(RATES, rate).clip(1, len(RATES) - 2)
    near = np.stack([_rss(g, s, RATES[position + shift]) for shift in (-1, 0, 1)])  # (3, B)
    bend = near[0] - 2 * near[1] + near[2]
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.where(bend > 0, (near[0] - near[2]) / (2 * bend), 0.0).clip(-1, 1)
    step = np.log(RATES[1] / RATES[0])
    b = RATES[position] * np.exp(shift * step)
    shape = np.exp(-b[:, None] * g)
    about, centred = s - s.mean(axis=1, keepdims=True), shape - shape.mean(axis=1, keepdims=True)
    a = (about * centred).sum(axis=1) / (centred**2).sum(axis=1)
    c = s.mean(axis=1) - a * shape.mean(axis=1)
    return a, np.where(factor > 0, b, np.nan), c


def _rss(g: np.ndarray, s: np.ndarray, rates: np.ndarray) -> np.ndarray:
    shape = np.exp(-rates[:, None] * (g - g[0]))
    centred = shape - shape.mean(axis=1, keepdims=True)
    about = s - s.mean(axis=1, keepdims=True)
    factor = (about * centred).sum(axis=1) / (centred**2).sum(axis=1)
    return ((about - factor[:, None] * centred) ** 2).sum(axis=1)


def decide(points: Mapping[int, float]) -> Decay:
    """The curve that describes S(g) best, by generation."""
    g, s = (np.array(part, dtype=float) for part in zip(*points.items(), strict=True))
    n = len(g)
    a, b, c = (float(part[0]) for part in exponential(g, s[None]))
    straight = bool(b * (g[-1] - g[0]) < STRAIGHT)
    if n < FEWEST:
        return Decay(None, None, a, b, c, straight)
    scores = {}
    for curve, number in PARAMETERS.items():
        rss = ((s - s.mean()) ** 2).sum() if curve == "constant" else fit(curve, g, s[None])[0][0]
        rss = max(float(rss), n * PRECISION**2)
        scores[curve] = (
            n * np.log(rss / n) + 2 * number + 2 * number * (number + 1) / (n - number - 1)
        )
    best = min(scores, key=scores.__getitem__)
    chances = {curve: np.exp((scores[best] - score) / 2) for curve, score in scores.items()}
    return Decay(best, float(chances[best] / sum(chances.values())), a, b, c, straight)
