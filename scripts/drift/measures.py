"""All figures of a round that are not attributes, in one place: the columns of drift.tsv.

A new figure is one more entry of MEASURES, and appears in tables, plots and comparisons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scripts.drift import texts
from scripts.drift.pictures import alike

Vectors = np.ndarray | None  # (rounds, D), unit length, rows of nan where there is none


@dataclass(frozen=True)
class Played:
    """What is known of a chain: captions, and what its captions and pictures mean.

    `captions` has R texts, `meant` (R, E) their embeddings; `told` (R, D) are captions and `seen`
    (R, D) pictures in the space of a bundle's DAMSM, `base` (D,) is the base picture there.
    `pixels` are small pictures, of which the base is `base_pixels`. What an independent judge
    sees is in `judged` (R, J), `judged_told` and `judged_base`.
    """

    captions: list[str]
    meant: np.ndarray
    told: Vectors = None
    seen: Vectors = None
    base: np.ndarray | None = None
    pixels: tuple[np.ndarray, ...] = ()
    base_pixels: np.ndarray | None = None
    judged: Vectors = None
    judged_told: Vectors = None
    judged_base: np.ndarray | None = None


Figure = Callable[[Played, int], float | int | None]  # of a chain, the index of its round


@dataclass(frozen=True)
class Measure:
    """A figure of each round: how it is computed, and what a study says of it."""

    of: Figure
    what: str = ""  # what it compares, in a study's curves; "" if it is in none
    unit: str = ""
    limits: tuple[float, float] = (0.0, 1.0)  # the ends of its scale
    trivial: bool = False  # in round 1 by definition the same for all chains
    pair: tuple[str, str] | None = (
        None  # the vectors whose cosine it is: of the start, of the round
    )
    encoded: bool = False  # by a bundle's own encoders
    panel: str = ""  # of a chain's plot, one of plot.PANELS; "" if it is not drawn there
    label: str = ""  # its name in the legend of that panel


def _words(part: str, back: bool) -> Figure:
    def count(played: Played, index: int) -> int | None:
        other = index - 1 if back else 0
        if other < 0:
            return None
        return getattr(texts.change(played.captions[index], played.captions[other]), part)

    return count


def _bleu(back: bool) -> Figure:
    def score(played: Played, index: int) -> float | None:
        other = index - 1 if back else 0
        if other < 0:
            return None
        return texts.bleu(played.captions[index], played.captions[other])

    return score


def _cosine(one: np.ndarray | None, other: np.ndarray | None) -> float | None:
    if one is None or other is None or not (np.isfinite(one[0]) and np.isfinite(other[0])):
        return None
    return float(one @ other)


def _at(vectors: Vectors, index: int) -> np.ndarray | None:
    return vectors[index] if vectors is not None and 0 <= index < len(vectors) else None


def _pixels(played: Played, index: int) -> float | None:
    if played.base_pixels is None or index >= len(played.pixels):
        return None
    return alike(played.pixels[index], played.base_pixels)


COSINE = (-1.0, 1.0)
MEASURES: dict[str, Measure] = {
    "kept_first": Measure(_words("kept", back=False)),
    "lost_first": Measure(_words("lost", back=False)),
    "new_first": Measure(_words("new", back=False)),
    "bleu_first": Measure(
        _bleu(back=False), "caption and round 1's, in words", "BLEU-4", trivial=True
    ),
    "cosine_first": Measure(
        lambda played, n: _cosine(_at(played.meant, n), _at(played.meant, 0)),
        "caption and round 1's, in meaning", "cosine", COSINE, True, ("first_meant", "meant"),
        panel="captions", label="to round 1's",
    ),
    "kept_previous": Measure(_words("kept", back=True)),
    "lost_previous": Measure(_words("lost", back=True)),
    "new_previous": Measure(_words("new", back=True)),
    "bleu_previous": Measure(_bleu(back=True)),
    "cosine_previous": Measure(
        lambda played, n: _cosine(_at(played.meant, n), _at(played.meant, n - 1)),
        panel="captions", label="to that of the round before",
    ),
    "agreement": Measure(
        lambda played, n: _cosine(_at(played.seen, n), _at(played.told, n)),
        "picture and its own caption", "cosine", COSINE, encoded=True,
        panel="both", label="picture and its caption",
    ),
    "agreement_first": Measure(
        lambda played, n: _cosine(_at(played.seen, n), _at(played.told, 0)),
        "picture and round 1's caption", "cosine", COSINE, False, ("first_told", "seen"), True,
    ),
    "caption_base": Measure(
        lambda played, n: _cosine(_at(played.told, n), played.base),
        "caption and base picture", "cosine", COSINE, False, ("base", "told"), True,
        panel="both", label="caption and base picture",
    ),
    "meaning_base": Measure(
        lambda played, n: _cosine(_at(played.seen, n), played.base),
        "picture and base, in meaning", "cosine", COSINE, False, ("base", "seen"), True,
        panel="pictures", label="in meaning (cosine)",
    ),
    "judge_own": Measure(
        lambda played, n: _cosine(_at(played.judged, n), _at(played.judged_told, n)),
        "picture and its own caption, to the judge", "cosine", COSINE,
    ),
    "judge_first": Measure(
        lambda played, n: _cosine(_at(played.judged, n), _at(played.judged_told, 0)),
        "picture and round 1's caption, to the judge", "cosine", COSINE, False,
        ("first_judged_told", "judged"),
    ),
    "judge_base": Measure(
        lambda played, n: _cosine(_at(played.judged, n), played.judged_base),
        "picture and base, to the judge", "cosine", COSINE, False, ("judged_base", "judged"),
    ),
    "pixels_base": Measure(
        _pixels, "picture and base, in pixels", "1 − difference",
        panel="pictures", label="in pixels (1 − difference)",
    ),
}  # fmt: skip
CURVES = {name: measure for name, measure in MEASURES.items() if measure.what}
