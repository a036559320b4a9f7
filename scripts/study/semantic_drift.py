"""MCD and SDR: mean cumulative drift and semantic drift rate.

After "The Telephone Game" (Mollah et al. 2025, arXiv 2509.04438), as its published code computes
them. Generation 0 is what a chain began with; every conversion is one generation more. For each of
four mappings, S(g) is the mean over chains of the cosine between generation 0 and generation g.
MCD of a mapping is the mean of S(g) over g, and a model's MCD is the mean of the four. SDR is the
rate b of the fit a * exp(-b * g) + c to S(g).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts import plots
from scripts.study.chains import by_bundle
from scripts.tables import Row, read_rows, write_rows

GENERATIONS = 20  # that the published protocol plays
GUESS = (1.0, 0.1, 0.0)  # of a, b and c, where the published fit begins
EVALUATIONS = 5000  # of the curve, after which the published fit gives up


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
    """a * exp(-b * g) + c; without numbers if there is none, and why.

    `error` is the standard error of b, as far as the scatter of S(g) about the curve tells it.
    """

    a: float | None = None
    b: float | None = None
    c: float | None = None
    error: float | None = None
    note: str = ""


def similarities(rows: Iterable[Row], mapping: Comparison) -> dict[int, float]:
    """S(g) by generation; generation 0 is not compared with itself."""
    samples: dict[int, list[float]] = {}
    for row in rows:
        generation = mapping.generation(row)
        if generation and row.get(mapping.column) is not None:
            samples.setdefault(generation, []).append(float(row[mapping.column]))
    return {generation: float(np.mean(samples[generation])) for generation in sorted(samples)}


def mcd(similar: Mapping[int, float]) -> float:
    """Mean cumulative drift of one mapping: higher is less drift."""
    return float(np.mean(list(similar.values())))


def sdr(similar: Mapping[int, float]) -> Fit:
    """The semantic drift rate of one mapping. A fit that cannot be had says so in its note."""
    from scipy.optimize import OptimizeWarning, curve_fit

    if len(similar) < 3:
        return Fit(note=f"{len(similar)} generations are too few for three parameters")
    g, s = (np.array(part, dtype=float) for part in zip(*similar.items(), strict=True))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", OptimizeWarning)
            warnings.simplefilter("ignore", RuntimeWarning)  # exp overflows while it searches
            (a, b, c), spread = curve_fit(_decay, g, s, p0=GUESS, maxfev=EVALUATIONS)
    except RuntimeError:
        return Fit(note="the fit does not converge")
    except OptimizeWarning:
        return Fit(note="the fit is not determined: other a, b, c would do as well")
    error = float(np.sqrt(spread[1, 1]))
    note = ""
    if a <= 0 or b <= 0:
        note = "similarity does not fall towards a level"
    elif error >= b:
        note = "the rate cannot be told from 0"
    return Fit(float(a), float(b), float(c), error, note)


def _decay(g: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return a * np.exp(-b * g) + c


def table(rows: Iterable[Row], generations: int = GENERATIONS) -> list[Row]:
    """A row for each bundle and mapping, and for each bundle the means of all four.

    What comes after `generations` counts neither for MCD nor for SDR.
    """
    found: list[Row] = []
    for bundle, group in by_bundle(rows).items():
        own = [_measured(bundle, name, group, generations) for name in MAPPINGS]
        there = [row for row in own if row["mcd"] is not None]
        rates = [row for row in own if row["sdr_b"] is not None]
        lacking = [row["mapping"] for row in own if row["mcd"] is None]
        note = f"without {', '.join(lacking)}" if lacking else ""
        mean: Row = {"bundle": bundle, "mapping": "mean", "encoder": None}
        mean |= {"chains": max(row["chains"] for row in own), "generations": None}
        mean["mcd"] = float(np.mean([row["mcd"] for row in there])) if there else None
        for letter in "abc":
            values = [row[f"sdr_{letter}"] for row in rates]
            mean[f"sdr_{letter}"] = float(np.mean(values)) if values else None
        mean["sdr_b_error"] = None
        unfitted = [row["mapping"] for row in there if not row["falls"]]
        if unfitted:
            note = "; ".join([*filter(None, [note]), f"no falling fit of {', '.join(unfitted)}"])
        mean["note"] = note or None
        for row in own:
            del row["falls"]
        found += [*own, mean]
    return found


def _measured(bundle: str, name: str, rows: list[Row], generations: int) -> Row:
    mapping = MAPPINGS[name]
    own = [row for row in rows if row["first"] == mapping.first]
    similar = {g: s for g, s in similarities(own, mapping).items() if g <= generations}
    chains = {row["chain"] for row in own}
    notes = []
    if not chains:
        fit = Fit()
        notes.append(f"no chain begins with {'a text' if mapping.first == 'text' else 'a picture'}")
    elif not similar:
        fit = Fit()
        notes.append(f"{mapping.encoder}: nothing measured")
    else:
        fit = sdr(similar)
        notes.append(fit.note)
    asked = [row for row in own if mapping.generation(row) in similar]
    lacking = sum(row.get(mapping.column) is None for row in asked)
    if lacking:
        notes.append(f"{lacking} of {len(asked)} comparisons could not be made")
    return {
        "bundle": bundle,
        "mapping": name,
        "encoder": mapping.encoder,
        "chains": len(chains),
        "generations": len(similar),
        "mcd": mcd(similar) if similar else None,
        "sdr_a": fit.a,
        "sdr_b": fit.b,
        "sdr_c": fit.c,
        "sdr_b_error": fit.error,
        "falls": not fit.note,
        "note": "; ".join(filter(None, notes)) or None,
    }


def measure(
    chains: Path | str,
    table: Path | str,
    similar: Path | str,
    plot: Path | str,
    embedding: str,
    generations: int = GENERATIONS,
) -> None:
    """Write MCD and SDR, the similarities that they are of, and a plot of both."""
    write(chains, table, embedding, generations)
    curves(chains, similar)
    draw(similar, table, plot, generations)


def write(
    chains: Path | str, out: Path | str, embedding: str, generations: int = GENERATIONS
) -> None:
    """Write mcd.tsv of a study's table; `embedding` is the encoder of captions."""
    rows = table(read_rows(chains), generations)
    for row in rows:
        row["encoder"] = embedding if row["encoder"] == "embedding" else row["encoder"]
    write_rows(rows, out)


def curves(chains: Path | str, out: Path | str) -> None:
    """Write S(g) of each bundle and mapping as a table: what mcd.svg shows."""
    found: list[Row] = [
        {"bundle": bundle, "mapping": name, "generation": generation, "similarity": value}
        for bundle, group in by_bundle(read_rows(chains)).items()
        for name, mapping in MAPPINGS.items()
        for generation, value in similarities(group, mapping).items()
    ]
    nothing: Row = dict.fromkeys(("bundle", "mapping", "generation", "similarity"))
    write_rows(found or [nothing], out)


def draw(similar: Path | str, fits: Path | str, out: Path | str, generations: int) -> None:
    """Draw S(g) and the fits to it as an SVG, a panel for each mapping."""
    rows, fitted = read_rows(similar), read_rows(fits)
    bundles = [*by_bundle(fitted)]
    sheet, axes = plots.figure(6.4 + 0.4 * len(bundles), 2, 2, sharey=True, sharex=True)
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
            said = f"{bundle}: MCD {fit['mcd']:.3f}, {_rate(fit)}"
            plots.line(panel, number, g, [row["similarity"] for row in own[bundle]], said)
            if fit["sdr_b"] is not None:
                fine = np.linspace(min(g), min(max(g), generations), 100)
                curve = _decay(fine, fit["sdr_a"], fit["sdr_b"], fit["sdr_c"])
                panel.plot(fine, curve, "--", color="black", linewidth=1, zorder=3)
        if own:
            panel.legend(fontsize=8, loc="upper left", bbox_to_anchor=(-0.02, -0.16), frameon=False)
        else:
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
    sheet.suptitle(f"Semantic drift in four mappings (dashed: fit of SDR{counted})", fontsize=11)
    plots.save(sheet, out)


def _rate(fit: Row) -> str:
    if fit["sdr_b"] is None:
        return "no fit"
    return f"b = {fit['sdr_b']:.2g} ± {fit['sdr_b_error']:.1g}"
