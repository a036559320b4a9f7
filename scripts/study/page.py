"""A study on one page: its tables in Markdown, its plots beside them (results/study/README.md)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from scripts.files import written
from scripts.study.chains import by_bundle, by_chain
from scripts.study.curves import MEASURES
from scripts.tables import Row, Value, read_rows

SHOWN = 10  # captions of a bundle
ABOUT = "What each figure means, and what it does not say: `docs/drift.md` of TelephoneGAN."
TABLES = ("chains", "curves", "mcd", "halflife", "attractors", "ends")


def write(folder: Path | str, out: Path | str) -> None:
    """Write the page of the study whose tables (TABLES, each `<name>.tsv`) lie in a folder."""
    tables = {name: read_rows(Path(folder) / f"{name}.tsv") for name in TABLES}
    parts = [
        "# A study of drift",
        played(tables["chains"]),
        ABOUT,
        "## Mean cumulative drift (MCD) and semantic drift rate (SDR)",
        "Always against generation 0. MCD: higher is less drift. SDR is b of a·exp(−b·g) + c, here"
        " with its standard error: higher is faster.",
        markdown(tables["mcd"]),
        "![S(g) in four mappings](mcd.svg)",
        "## Means by round",
        _means(tables["curves"]),
        "![Mean curves](curves.svg)",
        "## Attributes",
        "`pooled`: over all rounds after the first, and all chains. `last`: in the last round."
        " `half_life`: the round in which half of the chains have lost it.",
        markdown(tables["halflife"]),
        "![Attributes by round](attributes.svg)",
        "## Where chains end",
        markdown(settled(tables["ends"])),
        *_ends(tables["attractors"]),
        "![The commonest ends](attractors.svg)",
    ]
    with written(out) as half:
        half.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def played(rows: list[Row]) -> str:
    """What was played, in a sentence for each bundle."""
    told = []
    for bundle, group in by_bundle(rows).items():
        chains = by_chain(group).values()
        begins = [(chain[0]["image"], chain[0]["first"]) for chain in chains]
        pictures = len({image for image, first in begins if first == "image"})
        texts = len({image for image, first in begins if first == "text"})
        seeds = {row["seed"] for row in group if row["seed"] is not None}
        rounds = {len(chain) for chain in chains}
        told.append(
            f"`{bundle}`: {len(chains)} chains of {_spread(rounds)} rounds. Base pictures:"
            f" {pictures}; base texts: {texts}; seeds: {len(seeds) or 'unknown'}."
        )
    return "\n".join(told)


def _spread(numbers: Iterable[int]) -> str:
    known = sorted(numbers)
    return f"{known[0]}" if len(known) == 1 else f"{known[0]} to {known[-1]}"


def settled(ends: list[Row]) -> list[Row]:
    """For each bundle how many chains settle, when, and in cycles of how many rounds."""
    found: list[Row] = []
    for bundle, group in by_bundle(ends).items():
        for what in ("caption", "attributes"):
            verb = "settles" if what == "caption" else "settle"
            at_rest = [row for row in group if row[f"{what}_{verb}"] is not None]
            since = [row[f"{what}_{verb}"] for row in at_rest]
            found.append(
                {
                    "bundle": bundle,
                    "what": what,
                    "chains": len(group),
                    "settled": len(at_rest),
                    "median round": float(median(since)) if since else None,
                    "in cycles of several": sum(row[f"{what}_period"] > 1 for row in at_rest),
                }
            )
    return found


def _ends(shares: list[Row]) -> list[str]:
    """The commonest last captions of each bundle, as tables."""
    parts = []
    for bundle, group in by_bundle(shares).items():
        parts.append(f"`{bundle}`: {len(group)} different last captions; the commonest:")
        parts.append(markdown(group[:SHOWN], skip=("bundle",)))
    return parts


def _means(curves: list[Row]) -> str:
    """The means in the first and the last round, and in some between."""
    last = max(row["round"] for row in curves)
    rounds = sorted({1, 2, last} | {n for n in (5, 10, 20, 50, 100) if n < last})
    found: list[Row] = []
    for bundle, group in by_bundle(curves).items():
        for measure in dict.fromkeys(row["measure"] for row in group):
            own = {row["round"]: row for row in group if row["measure"] == measure}
            what, unit = MEASURES[str(measure)]
            line: Row = {"bundle": bundle, "what": f"{what} ({unit})"}
            line |= {f"round {n}": _banded(own.get(n)) for n in rounds}
            found.append(line)
    return markdown(found)


def _banded(row: Row | None) -> str | None:
    if row is None:
        return None
    if row["low"] is None:
        return f"{row['mean']:.3f}"
    return f"{row['mean']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def markdown(rows: Sequence[Row], skip: Sequence[str] = ()) -> str:
    """Rows with the same names as a table; None is NA."""
    names = [name for name in rows[0] if name not in skip]
    lines = [names, ["---"] * len(names), *([_cell(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Value) -> str:
    if value is None:
        return "NA"
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")
