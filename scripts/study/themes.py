"""Attractors as themes: clusters of last captions by meaning, and which bases lead to each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from scripts.study import intervals
from scripts.study.chains import by_bundle, by_chain
from scripts.study.chance import Chains, Chance
from scripts.tables import Row, read_rows, write_rows

UNLIKE = 95  # per cent of pairs of other bases' first captions that are less alike than a theme's
NEAREST, FARTHEST = 0.95, 0.5  # cosines between which that level is looked for
DIFFERENT = 1500  # captions of one bundle that are clustered at the most


def level_of(first: np.ndarray, bases: Sequence[str]) -> float:
    """The cosine from which on captions are of one theme: more than chance makes of other bases.

    Embeddings of captions of one manner lie in a cone, so no fixed cosine means the same in all
    studies (anisotropy).
    """
    apart = np.asarray(bases)[:, None] != np.asarray(bases)
    alike = (first @ first.T)[apart]
    if not len(alike):
        return FARTHEST
    return float(np.clip(np.percentile(alike, UNLIKE), FARTHEST, NEAREST))


def cluster(vectors: np.ndarray, level: float) -> np.ndarray:
    """The cluster of each vector (N, D) of unit length: average linkage, cut at a mean cosine."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(vectors) == 1:
        return np.zeros(1, int)
    tree = linkage(np.ascontiguousarray(vectors, dtype=np.float64), "average", metric="cosine")
    return fcluster(tree, 1 - level, criterion="distance") - 1


def find(rows: Iterable[Row], vectors: Chains) -> tuple[list[Row], list[Row]]:
    """Themes of each bundle, the commonest first, and the basin of each base.

    A theme is called after the caption that is nearest to all others of it.
    """
    themes: list[Row] = []
    basins: list[Row] = []
    for bundle, group in by_bundle(rows).items():
        chains = by_chain(group)
        bases = np.array([str(chain[0]["image"]) for chain in chains.values()])
        first = np.stack([vectors[name]["meant"][0] for name in chains])
        last = np.stack([vectors[name]["meant"][len(chain) - 1] for name, chain in chains.items()])
        ends = [str(chain[-1]["caption"]) for chain in chains.values()]
        level = level_of(first, bases)
        position = {caption: ends.index(caption) for caption in [*dict.fromkeys(ends)][:DIFFERENT]}
        groups = cluster(last[[*position.values()]], level)
        theme_of = dict(zip(position, groups.tolist(), strict=True))
        belongs = np.array([theme_of.get(caption, -1) for caption in ends])
        names = {}
        for number in set(belongs.tolist()) - {-1}:
            members = np.flatnonzero(belongs == number)
            alike = last[members] @ last[members].mean(axis=0)
            names[number] = ends[members[alike.argmax()]]
        for number in sorted(names, key=lambda n: (-(belongs == n).sum(), names[n])):
            here = belongs == number
            share = intervals.of_mean(here, bases, share=True)
            themes.append(
                {
                    "bundle": bundle, "theme": names[number],
                    "captions": len({ends[index] for index in np.flatnonzero(here)}),
                    "chains": int(here.sum()), "share": share.value, "low": share.low,
                    "high": share.high, "bases": len(set(bases[here])),
                    "base_share": len(set(bases[here])) / len(set(bases)), "level": level,
                }
            )  # fmt: skip
        for base in dict.fromkeys(bases.tolist()):
            own = belongs[bases == base]
            values, counts = np.unique(own, return_counts=True)
            top = int(values[counts.argmax()])
            basins.append(
                {
                    "bundle": bundle, "image": base, "chains": len(own), "themes": len(values),
                    "theme": names.get(top, ""), "share": float(counts.max() / len(own)),
                }
            )  # fmt: skip
    return themes, basins


def write(
    chains: Path | str, vectors: Sequence[Path | str], themes: Path | str, basins: Path | str
) -> None:
    """Write themes.tsv and basins.tsv of a study."""
    rows = read_rows(chains)
    found = find(rows, Chance.read(rows, vectors).vectors)
    for table, path in zip(found, (themes, basins), strict=True):
        write_rows(table, path)
