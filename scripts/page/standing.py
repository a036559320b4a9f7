"""What stands in results/: which chains have been played, how far, and which figures there are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts import records

# The figures of a chain: those that its page shows, and that `snakemake figures` makes.
FIGURES = ("strip.png", "film.gif", "drift.svg", "drift.tsv", "related.png")
BY_ROUND = ("candidates", "attention")
ROUND = re.compile(r"round([1-9][0-9]*)\.png", re.ASCII)


@dataclass(frozen=True)
class Standing:
    """A chain of which a picture has been painted."""

    name: str
    folder: Path
    rounds: int  # how many there are from round 1 on, with both caption and picture
    farthest: int  # the last round that has a picture, which may follow a gap
    figures: tuple[str, ...]  # those of FIGURES that are there
    by_round: dict[str, tuple[int, ...]]  # of BY_ROUND: the rounds that have such a figure

    @cached_property
    def record(self) -> dict[str, Any]:
        """The record of round 1; empty if it cannot be read."""
        return records.read_if_sound(self.folder / "round1.json")

    def text(self, round_: int) -> str:
        """The caption of a round."""
        content = (self.folder / f"round{round_}.txt").read_text(encoding="utf-8", errors="replace")
        return content.strip("\n")

    def unknown_words(self, round_: int) -> list[str]:
        """The words of a round's caption that the painter did not know."""
        return list(
            records.read_if_sound(self.folder / f"round{round_}.json").get("unknown_words") or []
        )

    @property
    def every_figure(self) -> list[str]:
        """The paths of its figures within its folder."""
        rounds = [
            f"{kind}/round{n}.png" for kind, numbers in self.by_round.items() for n in numbers
        ]
        return [*self.figures, *rounds]

    def unfamiliar(self) -> str:
        """A note if the base picture is unlike those that the captioner was trained on."""
        return records.unfamiliar(records.read_if_sound(self.folder / "captions" / "round1.json"))

    def digest(self) -> str:
        """A text that changes whenever a round is played again, or more of them are."""
        changed = os.stat(self.folder / f"round{self.farthest}.png").st_mtime_ns
        return f"{self.farthest} rounds, the last of {changed}"


def chain_of_figure(path: str) -> str:
    """The chain that results/<chain>/<figure> is of; empty if the path is none of a figure."""
    match Path(path).parts:
        case ("results", chain, name) if name in FIGURES:
            return chain
        case ("results", chain, kind, name) if kind in BY_ROUND and ROUND.fullmatch(name):
            return chain
    return ""


def chain(folder: Path) -> Standing | None:
    """What has been played in a chain's folder; None if it is not one, or holds no picture."""
    try:
        files = set(os.listdir(folder))
    except OSError:
        return None
    rounds = 0
    while {f"round{rounds + 1}.png", f"round{rounds + 1}.txt"} <= files:
        rounds += 1
    painted = _rounds(files)
    if not painted:
        return None
    figures = tuple(figure for figure in FIGURES if figure in files)
    by_round = {kind: _numbered(folder / kind) for kind in BY_ROUND if kind in files}
    return Standing(folder.name, folder, rounds, painted[-1], figures, by_round)


def every_chain(results: Path | str) -> list[Standing]:
    """All chains in a results folder, by name."""
    folder = Path(results)
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    found = (chain(folder / name) for name in names if not name.startswith("."))
    return [one for one in found if one is not None]


def _numbered(folder: Path) -> tuple[int, ...]:
    """The rounds that have a picture in a folder of figures."""
    return _rounds(os.listdir(folder)) if folder.is_dir() else ()


def _rounds(names: Iterable[str]) -> tuple[int, ...]:
    """The numbers in names of rounds' pictures, in their order."""
    found = (ROUND.fullmatch(name) for name in names)
    return tuple(sorted(int(match[1]) for match in found if match))
