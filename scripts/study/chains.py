"""Which chains a study is made of, and their drift in one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

from scripts.chains import LARGEST_SEED, Chain, parse
from scripts.errors import UserError
from scripts.tables import Row, read_rows, write_rows
from scripts.untrusted.files import is_text

if TYPE_CHECKING:
    import numpy as np

MOST_SEEDS = 10_000
NOTHING, REPEAT = "none", "repeat"  # as scripts/channel.py has them


def names(
    images: Iterable[str],
    study: Mapping[str, object],
    seed: int,
    bundle: str,
    passage: Sequence[str] = (),
) -> list[str]:
    """The chains of a study: every image that its globs name, with each seed, bundle and channel.

    `study` is the config's section; `seed`, `bundle` and `passage` are the config's own, which a
    chain's name need not tell. Baselines are more chains: painters that are given the first
    caption again and again. Raises UserError if a glob names no image.
    """
    known = sorted(images)
    chosen: dict[str, None] = {}
    for said in study["bases"]:
        glob = normalize("NFC", said)
        found = [image for image in known if fnmatchcase(image, glob)]
        if glob in known and glob not in found:  # photo[1] is a name, too
            found = [glob]
        if not found:
            raise UserError(f"config: study.bases: no base file in input/ is called {glob}.")
        chosen |= dict.fromkeys(found)
    seeds = study["seeds"] or [seed]
    bundles = study["bundles"] or [bundle]
    own = "~".join(passage) or NOTHING
    channels = [*(study.get("channels") or [own]), *([REPEAT] if study.get("baselines") else [])]
    players = [
        _player("" if other == bundle else other, "" if channel == own else channel)
        for other in bundles
        for channel in dict.fromkeys(channels)
    ]
    return [
        image + (f"@{one}" if one != seed else "") + player
        for image in chosen
        for one in expand(seeds)
        for player in players
    ]


def _player(bundle: str, channel: str) -> str:
    """The end of a chain's name: its bundle and what is between the rounds."""
    ending = bundle + (f"~{channel}" if channel else "")
    return f"+{ending}" if ending else ""


def expand(seeds: Iterable[int | str]) -> list[int]:
    """Seeds from numbers and ranges: [7, "100-103"] is 7, 100, 101, 102, 103.

    Raises UserError if a range ends before it begins, or there are too many.
    """
    numbers: dict[int, None] = {}
    for seed in seeds:
        begin, _, end = str(seed).partition("-")
        first, last = int(begin), int(end or begin)
        if last < first:
            raise UserError(f"config: study.seeds: the range {seed} ends before it begins.")
        if last > LARGEST_SEED:
            raise UserError(f"config: study.seeds: {last} is more than {LARGEST_SEED}.")
        if last - first >= MOST_SEEDS:
            raise UserError(
                f"config: study.seeds: the range {seed} has {last - first + 1:,} seeds; a study"
                f" plays {MOST_SEEDS:,} at the most."
            )
        numbers |= dict.fromkeys(range(first, last + 1))
    return list(numbers)


def check_imported(folders: Iterable[Path | str], bundles: Iterable[str]) -> None:
    """Raises UserError if chains of two origins would bear one name in the study's tables."""
    known = dict.fromkeys(bundles, "a bundle of this study")
    for folder in folders:
        name = Path(folder).name
        if name in known:
            raise UserError(
                f"config: study.imported: {folder} has the name of {known[name]}, by which its"
                " chains are told apart; rename the folder."
            )
        known[name] = str(folder)


def join(
    tables: Sequence[Path | str],
    chains: Sequence[str],
    bases: Sequence[Path | str],
    out: Path | str,
    seed: int,
    bundle: str,
    imported: Sequence[Path | str] = (),
    passage: Sequence[str] = (),
) -> None:
    """Write the drift tables of all chains as one, which tells of each row whose it is.

    A column that one chain has and another lacks is NA for the latter.
    """
    rows: list[Row] = []
    for table, name, base in zip(tables, chains, bases, strict=True):
        chain = parse(name, seed, bundle, passage)
        begins = "text" if is_text(base) else "image"
        rows += [{**_whose(chain), "first": begins, **row} for row in read_rows(table)]
    for table in imported:
        rows += read_rows(table)
    columns = dict.fromkeys(column for row in rows for column in row)
    write_rows([{column: row.get(column) for column in columns} for row in rows], out)


def _whose(chain: Chain) -> Row:
    return {
        "chain": chain.name, "image": chain.image, "seed": chain.seed, "bundle": chain.played_by,
        "encoder": chain.bundle,
    }  # fmt: skip


def by(rows: Iterable[Row], *columns: str) -> dict[tuple, list[Row]]:
    """Rows by what they have in these columns, in the order in which it occurs."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(column) for column in columns), []).append(row)
    return groups


def by_bundle(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows of a study by what played: a bundle, or the folder that chains were imported from."""
    return {str(bundle): group for (bundle,), group in by(rows, "bundle").items()}


def by_chain(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows by bundle and chain, each chain's in the order of its rounds.

    A chain's name alone is not enough: two imported folders may have chains of one name.
    """
    return {
        (str(bundle), str(chain)): sorted(group, key=lambda row: row["round"])
        for (bundle, chain), group in by(rows, "bundle", "chain").items()
    }


def rounds_of(rows: Iterable[Row], column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A column of chains: by chain and round (N, R), nan where it is NA; rounds and bases (N,)."""
    import numpy as np

    chains = [*by_chain(rows).values()]
    values = np.full((len(chains), max(int(chain[-1]["round"]) for chain in chains)), np.nan)
    for position, chain in enumerate(chains):
        for row in chain:
            if row.get(column) is not None:
                values[position, int(row["round"]) - 1] = float(row[column])
    lengths = np.array([int(chain[-1]["round"]) for chain in chains])
    return values, lengths, np.array([str(chain[0]["image"]) for chain in chains])
