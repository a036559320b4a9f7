"""MCD and SDR: mean cumulative drift and semantic drift rate.

After "The Telephone Game" (Mollah et al. 2025, arXiv 2509.04438), as its published code computes
them. Generation 0 is what a chain began with; every conversion is one generation more. For each of
four mappings, S(g) is the mean over chains of the cosine between generation 0 and generation g.
MCD of a mapping is the mean of S(g) over g, and a model's MCD is the mean of the four. SDR is the
rate b of the fit a * exp(-b * g) + c to S(g), which the paper's first version has and later ones
drop. Here the rate is told only where an exponential describes S(g) better than a constant, a power
law or a step (scripts/study/decay.py); the published fit stands beside it as v1.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts import plots
from scripts.study import decay, intervals
from scripts.study.chains import by_bundle, by_chain
from scripts.study.chance import Chance
from scripts.tables import Row, read_rows, write_rows

GENERATIONS = 20  # that the published protocol plays
GUESS = (1.0, 0.1, 0.0)  # of a, b and c, where the published fit begins
EVALUATIONS = 5000  # of the curve, after which the published fit gives up
RESAMPLES = 1000  # of bases, for the interval of the rate


@dataclass(frozen=True)
class Comparison:
    """One of the four mappings: which chains, which column of drift.tsv, which generations."""

    first: str  # what chains begin with
    column: str
    shift: int  # generation = 2 * round - shift
    encoder: str

    def generation(self, row: Row) -> int:
        """The generation that a row of drift.tsv is of; 0 if it is none that is compared."""
        return 2 * row["round"] - self.shift if row["first"] == self.first else 0


MAPPINGS = {
    "text to text": Comparison("text", "cosine_first", 2, "embedding"),
    "text to image": Comparison("text", "agreement_first", 1, "DAMSM"),
    "image to image": Comparison("image", "meaning_base", 0, "DAMSM"),
    "image to text": Comparison("image", "caption_base", 1, "DAMSM"),
}


@dataclass(frozen=True)
class Fit:
    """a * exp(-b * g) + c as published (v1); without numbers if there is none, and why.

    `error` is the standard error of b, as far as the scatter of S(g) about the curve tells it.
    """

    a: float | None = None
    b: float | None = None
    c: float | None = None
    error: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Curve:
    """S(g) of one mapping: by generation, and without each base in turn."""

    generations: np.ndarray  # (G,)
    sums: np.ndarray  # (K, G), of the cosines of each base's chains
    counts: np.ndarray  # (K, G)
    bases: tuple[str, ...]
    chains: int

    def means(self, weights: np.ndarray | None = None) -> np.ndarray:
        """S(g), (G,); or of weights of bases (B, K), (B, G): nan where no chain is left."""
        weights = np.ones(len(self.bases)) if weights is None else weights
        with np.errstate(invalid="ignore", divide="ignore"):
            return (weights @ self.sums) / (weights @ self.counts)

    def without(self) -> np.ndarray:
        """S(g) without each base, (K, G)."""
        return self.means(1 - np.eye(len(self.bases)))

    def points(self) -> dict[int, float]:
        """S(g) by generation."""
        return dict(zip(self.generations.tolist(), self.means().tolist(), strict=True))


def curve_of(
    rows: Iterable[Row], mapping: Comparison, generations: int | None = None
) -> Curve | None:
    """S(g) of the chains of one bundle; None if nothing was compared."""
    cells: dict[tuple[str, int], list[float]] = {}
    chains = set()
    for row in rows:
        generation = mapping.generation(row)
        if not generation or row.get(mapping.column) is None:
            continue
        if generations is None or generation <= generations:
            cells.setdefault((str(row.get("image", row["chain"])), generation), []).append(
                float(row[mapping.column])
            )
            chains.add(row["chain"])
    if not cells:
        return None
    bases = tuple(dict.fromkeys(base for base, _ in cells))
    found = np.array(sorted({generation for _, generation in cells}))
    sums, counts = np.zeros((2, len(bases), len(found)))
    for (base, generation), values in cells.items():
        position = bases.index(base), int(np.searchsorted(found, generation))
        sums[position], counts[position] = sum(values), len(values)
    return Curve(found, sums, counts, bases, len(chains))


def similarities(rows: Iterable[Row], mapping: Comparison) -> dict[int, float]:
    """S(g) by generation; generation 0 is not compared with itself."""
    curve = curve_of(rows, mapping)
    return curve.points() if curve else {}


def mcd(similar: Mapping[int, float]) -> float:
    """Mean cumulative drift of one mapping: higher is less drift."""
    return float(np.mean(list(similar.values())))


def sdr(similar: Mapping[int, float]) -> Fit:
    """The fit of the paper's first version. One that tells nothing says so in its note."""
    from scipy.optimize import curve_fit

    if len(similar) < 3:
        return Fit(note=f"{len(similar)} generations are too few for three parameters")
    g, s = (np.array(part, dtype=float) for part in zip(*similar.items(), strict=True))
    if np.ptp(s) < decay.PRECISION:
        return Fit(note="the fit is not determined: similarity is the same in all generations")
    try:
        # Filters of warnings belong to the process, and threads may exchange them: they keep it
        # quiet, and no result depends on them.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # exp overflows while it searches
            (a, b, c), spread = curve_fit(_decay, g, s, p0=GUESS, maxfev=EVALUATIONS)
    except RuntimeError:
        return Fit(note="the fit does not converge")
    # Three points leave no scatter to tell an error by.
    if len(g) > 3 and not np.isfinite(spread).all():
        return Fit(note="the fit is not determined: other a, b, c would do as well")
    error = float(np.sqrt(spread[1, 1])) if len(g) > 3 else None
    note = ""
    if a <= 0 or b <= 0:
        note = "similarity does not fall towards a level"
    elif error is None:
        note = "as many generations as parameters: nothing is left to check the curve by"
    elif error >= b:
        note = "the rate cannot be told from 0"
    return Fit(float(a), float(b), float(c), error, note)


def _decay(g: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return a * np.exp(-b * g) + c


def table(
    rows: Iterable[Row], generations: int = GENERATIONS, chance: Chance | None = None
) -> list[Row]:
    """A row for each bundle and mapping, and for each bundle the means of all four.

    What comes after `generations` counts neither for MCD nor for SDR.
    """
    found: list[Row] = []
    for bundle, group in by_bundle(rows).items():
        curves = {name: curve_of(group, one, generations) for name, one in MAPPINGS.items()}
        own = [
            _measured(bundle, name, group, curves[name], generations, chance) for name in MAPPINGS
        ]
        found += [*own, _mean(bundle, group, own, [*filter(None, curves.values())])]
        for row in own:
            del row["told"]
    return found


def _measured(
    bundle: str,
    name: str,
    rows: list[Row],
    curve: Curve | None,
    generations: int,
    chance: Chance | None,
) -> Row:
    mapping = MAPPINGS[name]
    own = [row for row in rows if row["first"] == mapping.first]
    row: Row = {
        "bundle": bundle, "mapping": name, "encoder": mapping.encoder,
        "chains": len({chain["chain"] for chain in own}), "generations": 0,
        "mcd": None, "mcd_low": None, "mcd_high": None, "mcd_chance": None, "bases": 0,
        "curve": None, "weight": None, "sdr_a": None, "sdr_b": None, "sdr_c": None,
        "sdr_b_low": None, "sdr_b_high": None,
        "v1_a": None, "v1_b": None, "v1_c": None, "v1_b_error": None, "told": False,
    }  # fmt: skip
    if curve is None:
        begun = "a text" if mapping.first == "text" else "a picture"
        missing = f"{mapping.encoder}: nothing measured" if own else f"no chain begins with {begun}"
        return {**row, "note": missing}
    similar = curve.points()
    at = intervals.about(
        mcd(similar), curve.without().mean(axis=1), curve.chains, limits=(-1.0, 1.0)
    )
    row |= {"generations": len(similar), "mcd": at.value, "mcd_low": at.low, "mcd_high": at.high}
    row["bases"] = len(curve.bases)
    levels = chance.levels(own, mapping.column) if chance else {}
    beside = [
        levels[round_]
        for round_ in levels
        if mapping.generation({"round": round_, "first": mapping.first}) in similar
    ]
    row["mcd_chance"] = float(np.mean(beside)) if beside else None
    published, best = sdr(similar), decay.decide(similar) if len(similar) > 2 else None
    row |= {"v1_a": published.a, "v1_b": published.b, "v1_c": published.c}
    row["v1_b_error"] = published.error
    notes = [published.note]
    row["curve"], row["weight"] = (best.curve, best.weight) if best else (None, None)
    if best and best.curve not in (None, "exponential"):
        notes = [f"no exponential: {_said(best.curve)} describes it better"]
    elif best and best.curve and best.straight:
        notes = ["it falls on a straight line: other rates would do as well"]
    elif published.b is not None and (not published.note or published.error is None):
        row |= {"sdr_a": published.a, "sdr_b": published.b, "sdr_c": published.c}
        row |= dict(zip(("sdr_b_low", "sdr_b_high"), _rates(curve), strict=True))
        row["told"] = best.curve is not None and not published.note
        if best.curve is None:
            notes.append(f"fewer than {decay.FEWEST} generations: no curve can be told apart")
    asked = [row for row in own if mapping.generation(row) in similar]
    lacking = sum(row.get(mapping.column) is None for row in asked)
    if lacking:
        notes.append(f"{lacking} of {len(asked)} comparisons could not be made")
    ends = curve.counts.sum(axis=0)
    if ends.min() < ends.max() and not lacking:
        notes.append(f"chains end at different generations: S(g) is of {ends.min():.0f} to"
                     f" {ends.max():.0f}")  # fmt: skip
    return {**row, "note": "; ".join(filter(None, notes)) or None}


def _said(curve: str) -> str:
    return {"constant": "a constant", "power": "a power law", "step": "a step"}[curve]


def _rates(curve: Curve) -> tuple[float | None, float | None]:
    """The interval of the rate over resamples of bases; None where there are too few."""
    number = len(curve.bases)
    if number < 3:
        return None, None
    g = curve.generations.astype(float)

    def rates(means: np.ndarray) -> np.ndarray:
        return decay.exponential(g, means[np.isfinite(means).all(axis=1)])[1]

    drawn = rates(curve.means(intervals.resamples(number, RESAMPLES)))
    rate = float(rates(curve.means()[None])[0])
    return intervals.bca(rate, drawn, rates(curve.without())) or (None, None)


def _mean(bundle: str, rows: list[Row], own: Sequence[Row], curves: Sequence[Curve]) -> Row:
    """The row of means over the mappings."""
    there = [row for row in own if row["mcd"] is not None]
    row: Row = {**dict.fromkeys(own[0]), "bundle": bundle, "mapping": "mean"}
    del row["told"]
    row["chains"] = len(by_chain(rows))
    bases = dict.fromkeys(base for curve in curves for base in curve.bases)
    row["bases"] = len(bases)
    if there:
        without = np.mean([_without(curve, [*bases]) for curve in curves], axis=0)
        value = float(np.mean([row["mcd"] for row in there]))
        at = intervals.about(value, without, int(row["chains"]), limits=(-1.0, 1.0))
        row |= {"mcd": at.value, "mcd_low": at.low, "mcd_high": at.high}
        levels = [one["mcd_chance"] for one in there]
        row["mcd_chance"] = None if None in levels else float(np.mean(levels))
    for column in ("sdr_a", "sdr_b", "sdr_c"):
        values = [one[column] for one in own if one[column] is not None]
        row[column] = float(np.mean(values)) if values else None
    lacking = [str(one["mapping"]) for one in own if one["mcd"] is None]
    unfitted = [str(one["mapping"]) for one in there if one["note"] or not one["told"]]
    notes = [f"without {', '.join(lacking)}"] if lacking else []
    notes += [f"no rate can be determined for {', '.join(unfitted)}"] if unfitted else []
    return {**row, "note": "; ".join(notes) or None}


def _without(curve: Curve, bases: Sequence[str]) -> np.ndarray:
    """MCD of a mapping without each of these bases, of which it need not have all: (K,)."""
    each = dict(zip(curve.bases, curve.without().mean(axis=1), strict=True))
    return np.array([each.get(base, curve.means().mean()) for base in bases])


def measure(
    chains: Path | str,
    vectors: Sequence[Path | str],
    table: Path | str,
    similar: Path | str,
    plot: Path | str,
    embedding: str,
    generations: int = GENERATIONS,
) -> None:
    """Write MCD and SDR, the similarities that they are of, and a plot of both."""
    rows = read_rows(chains)
    chance = Chance.read(rows, vectors)
    write(rows, table, embedding, generations, chance)
    curves(rows, similar, chance)
    draw(similar, table, plot, generations)


def write(
    rows: list[Row],
    out: Path | str,
    embedding: str,
    generations: int = GENERATIONS,
    chance: Chance | None = None,
) -> None:
    """Write mcd.tsv of a study's rows; `embedding` is the encoder of captions."""
    found = table(rows, generations, chance)
    for row in found:
        row["encoder"] = embedding if row["encoder"] == "embedding" else row["encoder"]
    write_rows(found, out)


def curves(rows: list[Row], out: Path | str, chance: Chance | None = None) -> None:
    """Write S(g) of each bundle and mapping as a table: what mcd.svg shows."""
    found: list[Row] = []
    for bundle, group in by_bundle(rows).items():
        for name, mapping in MAPPINGS.items():
            curve = curve_of(group, mapping)
            if curve is None:
                continue
            own = [row for row in group if row["first"] == mapping.first]
            levels = chance.levels(own, mapping.column) if chance else {}
            beside = {2 * round_ - mapping.shift: level for round_, level in levels.items()}
            without = curve.without()
            for position, (generation, value) in enumerate(curve.points().items()):
                number = int(curve.counts[:, position].sum())
                at = intervals.about(value, without[:, position], number, limits=(-1.0, 1.0))
                found.append(
                    {
                        "bundle": bundle, "mapping": name, "generation": generation,
                        "similarity": value, "low": at.low, "high": at.high, "chains": number,
                        "chance": beside.get(generation),
                    }
                )  # fmt: skip
    columns = ("bundle", "mapping", "generation", "similarity", "low", "high", "chains", "chance")
    nothing: Row = dict.fromkeys(columns)
    write_rows(found or [{**nothing, "bundle": "none"}], out)


def draw(similar: Path | str, fits: Path | str, out: Path | str, generations: int) -> None:
    """Draw S(g) as an SVG, a panel for each mapping, and the exponential where it is the best.

    What bundles measure stands in a table beneath, if they are few; mcd.tsv has it in any case.
    """
    rows, fitted = read_rows(similar), read_rows(fits)
    bundles = [*by_bundle(fitted)]
    few = len(bundles) <= 4
    sheet, axes = plots.figure(
        6.4 + (0.4 if few else 0.1) * len(bundles), 2, 2, sharey=True, sharex=True
    )
    lowest = min([0.0, *(row["similarity"] for row in rows if row["similarity"] is not None)])
    played = max(row["generation"] or 0 for row in rows)
    for panel, name in zip(axes.flat, MAPPINGS, strict=True):
        panel.set_title(name, fontsize=10, loc="left")
        own = by_bundle(row for row in rows if row["mapping"] == name)
        for number, bundle in enumerate(bundles):
            if bundle not in own:
                continue
            g = [row["generation"] for row in own[bundle]]
            (fit,) = [f for f in fitted if f["bundle"] == bundle and f["mapping"] == name]
            said = f"{bundle}: MCD {fit['mcd']:.3f}{_between(fit, 'mcd')}, {_rate(fit)}"
            plots.line(panel, number, g, [row["similarity"] for row in own[bundle]], said)
            banded = [row for row in own[bundle] if row["low"] is not None]
            if few and banded:
                panel.fill_between(
                    [row["generation"] for row in banded], [row["low"] for row in banded],
                    [row["high"] for row in banded], color=plots.colour(number), alpha=0.15,
                    linewidth=0,
                )  # fmt: skip
            if fit["curve"] == "exponential" and fit["sdr_b"] is not None:
                fine = np.linspace(min(g), min(max(g), generations), 100)
                curve = _decay(fine, fit["sdr_a"], fit["sdr_b"], fit["sdr_c"])
                panel.plot(fine, curve, "--", color="black", linewidth=1, zorder=3)
        if own and few:
            panel.legend(fontsize=7, loc="upper left", bbox_to_anchor=(-0.02, -0.16), frameon=False)
        elif not own:
            plots.say(panel, "not measured: see mcd.tsv")
        panel.set_ylim(lowest, 1.05)
        if played > generations:  # what comes later does not count
            panel.axvline(generations, color="#888", linewidth=1, linestyle=":")
    for panel in axes.flat:
        panel.set_xlabel("generation", fontsize=9)
        panel.tick_params(labelbottom=True)
    for panel in axes[:, 0]:
        panel.set_ylabel("mean cosine to generation 0", fontsize=9)
    counted = f", up to generation {generations}" if played > generations else ""
    sheet.suptitle(
        f"Semantic drift in four mappings (dashed: exponential, where it fits best{counted})",
        fontsize=11,
    )
    if not few:
        plots.legend(sheet, bundles)
    plots.save(sheet, out)


def _between(fit: Row, name: str) -> str:
    if fit[f"{name}_low"] is None:
        return ""
    return f" ({fit[f'{name}_low']:.3f} to {fit[f'{name}_high']:.3f})"


def _rate(fit: Row) -> str:
    if fit["sdr_b"] is None:
        return f"{fit['curve']}" if fit["curve"] else "no curve to tell"
    return f"b = {fit['sdr_b']:.2g}"
