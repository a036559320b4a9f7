"""A study on one page: its tables in Markdown, its plots beside them (results/study/README.md).

All numbers, those in sentences as well, are written here, from the tables, and rounded.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

from scripts.drift.measures import CURVES
from scripts.files import written
from scripts.study.attractors import CYCLES, ROUNDS
from scripts.study.chains import by, by_bundle, by_chain
from scripts.tables import Row, Value, read_rows

SHOWN = 10  # lines of a bundle, of captions, themes and the like
MOST = 60  # lines of comparisons
ABOUT = "What each figure means, and what it does not say: `docs/drift.md` of TelephoneGAN."
TABLES = (
    *("chains", "curves", "mcd", "halflife", "attractors", "ends", "settled", "comparisons"),
    *("themes", "basins", "transitions", "diversity", "attraction", "survival", "doses"),
    "baselines",
)


def write(folder: Path | str, out: Path | str) -> None:
    """Write the page of the study whose tables (TABLES, each `<name>.tsv`) lie in a folder."""
    tables = {name: read_rows(Path(folder) / f"{name}.tsv") for name in TABLES}
    parts = [
        "# A study of drift",
        played(tables["chains"]),
        ABOUT,
        "Intervals are 95 % confidence intervals over bases; chance is the level that the bases of"
        " other chains would reach.",
        "## In short",
        *in_short(tables),
        "## Mean cumulative drift (MCD) and semantic drift rate (SDR)",
        "Always against generation 0. MCD: higher is less drift. `curve` is what describes the"
        " similarities best; `sdr_b` of a·exp(−b·g) + c is given only where that is an exponential,"
        " and `v1_…` is the fit as published in the paper's first version, whatever it is worth.",
        markdown(tables["mcd"]),
        "![S(g) in four mappings](mcd.svg)",
        "## Means by round",
        _means(tables["curves"]),
        "![Mean curves](curves.svg)",
        "## Attributes",
        "Against the base, where it is known what is in it, and against round 1's caption, which"
        " leaves out what the first caption has lost. `pooled`: over all rounds (after the first,"
        " if round 1 is the reference), and all chains. `last`: in the last round. `half_life`: the"
        " round in which half of the chains have lost it.",
        markdown(tables["halflife"]),
        "![Attributes by round](attributes.svg)",
        "![Until an attribute is first lost](survival.svg)",
        *_doses(tables["doses"]),
        "## How much is the loop's own: Painters alone, shuffled bases, one caption",
        "MCD of the loop; of the painter alone, which is given the first caption again and again;"
        " of chains beside the bases of others (shuffled); and of all bases beside the end of one"
        " chain, as if all had come to one caption. Painters alone are played with `baselines`.",
        markdown(tables["baselines"]),
        "## Bundles side by side",
        *_compared(tables["comparisons"]),
        "## Where chains end",
        f"A chain has settled if it repeats a cycle of captions to its end, {CYCLES} times and for"
        f" {ROUNDS} rounds at the least. {_horizon(tables['ends'])}",
        markdown(settled(tables["ends"])),
        "How many stay: chains that have settled in the first part of their rounds (`seen`), and"
        " the share of them that stays so to the end.",
        markdown(tables["settled"]),
        *_commonest(tables["attractors"], "last captions"),
        "![The commonest ends](attractors.svg)",
        "Themes: last captions that mean nearly the same (a cosine above `level`), called after the"
        " one in their middle.",
        *_commonest(tables["themes"], "themes"),
        _basins(tables["basins"]),
        "## How chains move",
        "From each value of an attribute to the next round's: shares in round 1, the chance to"
        " stay, and the share in the long run if only the last value mattered.",
        *_stationary(tables["transitions"]),
        "![Diversity by round](diversity.svg)",
        "Attraction (Perez et al.): last = m · first + k over chains.",
        markdown(tables["attraction"]),
    ]
    with written(out) as part:
        part.write_text("\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")


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


def in_short(tables: dict[str, list[Row]]) -> list[str]:
    """What the tables say of each bundle, in sentences with their intervals."""
    told = []
    for bundle, group in by_bundle(tables["mcd"]).items():
        lines = [f"`{bundle}`: {_mcd_said(group[-1])}"]
        lives = [row for row in tables["halflife"] if row["bundle"] == bundle and "first" in row]
        known = {(r["first"], r["attribute"]) for r in lives if r["reference"] == "the base"}
        for row in lives:
            if row["reference"] == "the base" or (row["first"], row["attribute"]) not in known:
                lines.append(_life_said(row))
        told.append("\n".join([lines[0], "", *(f"- {line}" for line in lines[1:])]).rstrip())
    return told


def _mcd_said(mean: Row) -> str:
    if mean["mcd"] is None:
        return "nothing of MCD could be measured."
    over = f"; {mean['note']}" if mean["note"] else ""
    return f"MCD {_between(mean, 'mcd')} over {mean['bases']} bases{over}."


def _life_said(row: Row) -> str:
    fell = "more than half keep it to the end"
    if row["half_life"] is not None:
        fell = f"half had lost it by round {row['half_life']:.1f}"
    chance = "" if row["chance"] is None else f"; by chance {_percent(row['chance'])}"
    return (
        f"{row['attribute']}, from {row['first']}s: {_between(row, 'last', _percent)} of"
        f" {row['chains']} chains ({row['bases']} bases) say in the last round what"
        f" {row['reference']} says{chance}; {fell}."
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _between(row: Row, name: str, say: Callable[[float], str] = "{:.3f}".format) -> str:
    """A figure with the ends of its interval, if there is one."""
    if row[f"{name}_low"] is None:
        return say(row[name])
    return f"{say(row[name])} (interval: {say(row[f'{name}_low'])} to {say(row[f'{name}_high'])})"


def _spread(numbers: Iterable[int]) -> str:
    known = sorted(numbers)
    return f"{known[0]}" if len(known) == 1 else f"{known[0]} to {known[-1]}"


def settled(ends: list[Row]) -> list[Row]:
    """For each bundle how many chains settle, when, and in cycles of how many rounds."""
    found: list[Row] = []
    for (bundle, first), group in by(ends, "bundle", "first").items():
        for what in ("caption", "attributes"):
            verb = "settles" if what == "caption" else "settle"
            at_rest = [row for row in group if row[f"{what}_{verb}"] is not None]
            since = [row[f"{what}_{verb}"] for row in at_rest]
            found.append(
                {
                    "bundle": bundle,
                    "first": first,
                    "what": what,
                    "chains": len(group),
                    "settled": len(at_rest),
                    "median round": float(median(since)) if since else None,
                    "in cycles of several": sum(row[f"{what}_period"] > 1 for row in at_rest),
                }
            )
    return found


def _horizon(ends: list[Row]) -> str:
    """What chains of this length cannot tell."""
    shortest, longest = (pick(row["rounds"] for row in ends) for pick in (min, max))
    if longest < ROUNDS:
        return f"Chains of {longest} rounds are too short to tell."
    told = f"In chains of {longest} rounds no cycle of more than {longest // CYCLES} can be seen"
    short = f"; those of fewer than {ROUNDS} rounds tell of none" if shortest < ROUNDS else ""
    return f"{told}{short}. What is not settled may settle later."


def _commonest(shares: list[Row], what: str) -> list[str]:
    """The commonest ends of each bundle, as tables."""
    parts = []
    for bundle, group in by_bundle(shares).items():
        parts.append(f"`{bundle}`: {len(group)} different {what}; the commonest:")
        parts.append(markdown(group[:SHOWN], skip=("bundle",)))
    return parts


def _basins(basins: list[Row]) -> str:
    """Whether bases lead to one theme each, in a sentence for each bundle."""
    told = []
    for bundle, group in by_bundle(basins).items():
        one = sum(row["themes"] == 1 for row in group)
        several = max(row["chains"] for row in group) > 1
        lead = f"{one} of {len(group)} bases lead to one theme with all their chains"
        told.append(f"`{bundle}`: {lead if several else f'{len(group)} bases, a chain each'}.")
    return "\n".join(told)


def _stationary(moves: list[Row]) -> list[str]:
    if "attribute" not in moves[0]:
        return [markdown(moves)]
    parts = []
    for (bundle, attribute), group in by(moves, "bundle", "attribute").items():
        stay = [row for row in group if row["value"] == row["to"]]
        classes = stay[0]["closed_classes"]
        parts.append(f"`{bundle}`, {attribute} (classes that are never left: {classes}):")
        top = sorted(stay, key=lambda row: -row["start"])[:SHOWN]
        parts.append(
            markdown(
                [
                    {
                        "value": row["value"], "in round 1": row["start"],
                        "stays": row["probability"], "in the long run": row["long_run"],
                    }
                    for row in top
                ]
            )
        )  # fmt: skip
    return parts


def _doses(doses: list[Row]) -> list[str]:
    if doses[0]["measure"] is None:
        return []
    return [
        "## Doses and responses",
        "What is left in the last round, by the level of the channel; all measures are in"
        " doses.tsv.",
        "![Doses and responses](doses.svg)",
    ]


def _compared(pairs: list[Row]) -> list[str]:
    if pairs[0]["measure"] is None:
        return ["There is one bundle, or none that share bases."]
    told = [
        "`difference`: `bundle` less `other` in the last round, over the bases that both have,"
        " each compared with itself."
    ]
    if len(pairs) > MOST:
        told.append(f"The first {MOST} of {len(pairs)}; all are in comparisons.tsv.")
    return [*told, markdown(pairs[:MOST])]


def _means(curves: list[Row]) -> str:
    """The means in the first and the last round, and in some between."""
    last = max(row["round"] for row in curves)
    rounds = sorted({1, 2, last} | {n for n in (5, 10, 20, 50, 100) if n < last})
    found: list[Row] = []
    for (bundle, first, measure), group in by(curves, "bundle", "first", "measure").items():
        own = {row["round"]: row for row in group}
        one = CURVES[str(measure)]
        line: Row = {"bundle": bundle, "first": first, "what": f"{one.what} ({one.unit})"}
        line |= {f"round {n}": _banded(own.get(n)) for n in rounds}
        line["chance"] = group[-1]["chance"]
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
