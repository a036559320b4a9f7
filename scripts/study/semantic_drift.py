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

from scripts.drift.chain import Row, read_rows, write_rows
from scripts.figures import plots
from scripts.study.chains import by_bundle

GUESS = (1.0, 0.1, 0.0)  # of a, b and c, where the published fit begins


@dataclass(frozen=True)
class Comparison:
    """One of the four mappings: which chains, which column of drift.tsv, which generations."""

    first: str  # what chains begin with
    column: str
    shift: int  # generation = 2 * round - shift
    encoder: str


MAPPINGS = {
    "text to text": Comparison("text", "cosine_first", 2, "embedding"),
    "text to image": Comparison("text", "agreement_first", 1, "DAMSM"),
    "image to image": Comparison("image", "meaning_base", 0, "DAMSM"),
    "image to text": Comparison("image", "caption_base", 1, "DAMSM"),
}


@dataclass(frozen=True)
class Fit:
    """a * exp(-b * g) + c; without numbers if there is none, and why."""

    a: float | None = None
    b: float | None = None
    c: float | None = None
    note: str = ""


def similarities(rows: Iterable[Row], mapping: Comparison) -> dict[int, float]:
    """S(g) by generation; generation 0 is not compared with itself."""
    samples: dict[int, list[float]] = {}
    for row in rows:
        generation = 2 * row["round"] - mapping.shift
        if row["first"] == mapping.first and generation > 0 and row.get(mapping.column) is not None:
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
            (a, b, c), _ = curve_fit(lambda g, a, b, c: a * np.exp(-b * g) + c, g, s, p0=GUESS)
    except (RuntimeError, OptimizeWarning):
        return Fit(note="the fit does not converge")
    if b <= 0:
        return Fit(float(a), float(b), float(c), "similarity does not fall")
    return Fit(float(a), float(b), float(c))


def table(rows: Iterable[Row]) -> list[Row]:
    """A row for each bundle and mapping, and for each bundle the means of all four."""
    found: list[Row] = []
    for bundle, group in by_bundle(rows).items():
        own = [_measured(bundle, name, group) for name in MAPPINGS]
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
        unfitted = [row["mapping"] for row in there if row["note"]]
        if unfitted:
            note = "; ".join([*filter(None, [note]), f"no falling fit of {', '.join(unfitted)}"])
        mean["note"] = note or None
        found += [*own, mean]
    return found


def _measured(bundle: str, name: str, rows: list[Row]) -> Row:
    mapping = MAPPINGS[name]
    similar = similarities(rows, mapping)
    chains = {row["chain"] for row in rows if row["first"] == mapping.first}
    row: Row = {"bundle": bundle, "mapping": name, "encoder": mapping.encoder}
    row |= {"chains": len(chains), "generations": len(similar)}
    if not similar:
        begin = f"no chain begins with {'a text' if mapping.first == 'text' else 'a picture'}"
        fit, value = Fit(note=begin if not chains else f"{mapping.encoder}: nothing measured"), None
    else:
        fit, value = sdr(similar), mcd(similar)
    return {**row, "mcd": value, "sdr_a": fit.a, "sdr_b": fit.b, "sdr_c": fit.c,
            "note": fit.note or None}  # fmt: skip


def measure(
    chains: Path | str, table: Path | str, similar: Path | str, plot: Path | str, embedding: str
) -> None:
    """Write MCD and SDR, the similarities that they are of, and a plot of both."""
    write(chains, table, embedding)
    curves(chains, similar)
    draw(similar, table, plot)


def write(chains: Path | str, out: Path | str, embedding: str) -> None:
    """Write mcd.tsv of a study's table; `embedding` is the encoder of captions."""
    rows = table(read_rows(chains))
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
    write_rows(found, out)


def draw(similar: Path | str, fits: Path | str, out: Path | str) -> None:
    """Draw S(g) and the fits to it as an SVG, a panel for each mapping."""
    rows, fitted = read_rows(similar), read_rows(fits)
    sheet, axes = plots.figure(6.2, 2, 2, sharey=True)
    for panel, name in zip(axes.flat, MAPPINGS, strict=True):
        panel.set_title(name, fontsize=9, loc="left")
        own = by_bundle(row for row in rows if row["mapping"] == name)
        for number, (bundle, group) in enumerate(own.items()):
            g = [row["generation"] for row in group]
            (fit,) = [f for f in fitted if f["bundle"] == bundle and f["mapping"] == name]
            rate = f"b = {fit['sdr_b']:.3g}" if fit["sdr_b"] is not None else fit["note"]
            label = f"{bundle}: MCD {fit['mcd']:.3f}, {rate}"
            plots.line(panel, number, g, [row["similarity"] for row in group], label)
            if fit["sdr_b"] is not None:
                fine = np.linspace(min(g), max(g), 100)
                curve = fit["sdr_a"] * np.exp(-fit["sdr_b"] * fine) + fit["sdr_c"]
                panel.plot(fine, curve, "--", color="#555", linewidth=1)
        if own:
            panel.legend(fontsize=7, loc="lower left")
        else:
            plots.say(panel, "not measured: see mcd.tsv")
        panel.set_xlabel("generation", fontsize=8)
        panel.set_ylim(0, 1.05)
    for panel in axes[:, 0]:
        panel.set_ylabel("mean cosine to generation 0", fontsize=8)
    sheet.suptitle("Semantic drift in four mappings; dashed: the fit of SDR", fontsize=11)
    plots.save(sheet, out)
