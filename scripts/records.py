"""What the records in results/<chain>/ tell: with what its rounds were played."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from scripts.chains import MOST_ROUNDS, Chain
from scripts.errors import UserError
from scripts.untrusted.pictures import read_notes
from scripts.untrusted.texts import read_json

SHOWN = 10  # chains that are named in a message
SHOWN_LETTERS = 80  # of a wrong value
ROUND = re.compile(r"round([1-9][0-9]*)\.(json|png|txt)")


# The types of a record's values, where it has them; None is allowed for the optional ones.
TEXT, TEXTS, TABLE = (str,), (list,), (dict,)
TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("chain", "image", "caption", "source", "device", "recipe"), TEXT),
    **dict.fromkeys(("round", "candidate", "beam", "batch"), (int,)),
    "seed": (int, float),  # older versions took 100.0
    **dict.fromkeys(("familiarity", "familiar"), (int, float)),
    **dict.fromkeys(("passage", "size", "others"), TEXTS),
    **dict.fromkeys(("words", "word_ids", "unknown_words"), (list, type(None))),
    **dict.fromkeys(("bundle", "versions", "players", "player"), TABLE),
    "captioner": (dict, type(None)),
    "pixels_sha256": TEXT,
}
# Those whose members are all texts.
ALL_TEXT = ("words", "unknown_words", "passage", "versions")


def read(path: Path | str) -> dict[str, Any]:
    """The record in a JSON file, of a picture or of a caption.

    Everybody who reads JSON in results/ reads it here: it may be anything, however deeply nested.
    Raises UserError if the file cannot be read, is no JSON, or no record: a table whose values have
    the types that a record's have.
    """
    record = read_json(path)
    if not isinstance(record, dict):
        raise UserError(f"{path}: this is not a record, which holds names and values.")
    for name in record.keys() & TYPES.keys():
        if type(record[name]) not in TYPES[name] or not _holds_text(name, record[name]):
            shown = repr(record[name])[:SHOWN_LETTERS]
            raise UserError(f"{path}: this is not a record; its {name} cannot be {shown}.")
    bundle = record.get("bundle", {})
    if type(bundle.get("name", "")) is not str or type(bundle.get("files", {})) is not dict:
        raise UserError(f"{path}: this is not a record; its bundle has no name or no files.")
    return record


def _holds_text(name: str, value: Any) -> bool:
    members = value.values() if isinstance(value, dict) else value
    return name not in ALL_TEXT or value is None or all(type(member) is str for member in members)


def read_if_sound(path: Path | str) -> dict[str, Any]:
    """As `read`, but empty where that raises: for what a record can add, but need not."""
    try:
        return read(path)
    except UserError:
        return {}


def unfamiliar(record: Mapping[str, Any]) -> str:
    """What a caption's record tells of a base picture unlike those of the captioner's training."""
    if record.get("familiarity", 0) >= record.get("familiar", 0):
        return ""
    return f"unlike anything {record.get('bundle', {}).get('name', 'the captioner')} was trained on"


@dataclass(frozen=True)
class Played:
    """With what a round was played; None where nothing tells."""

    image: str | None = None
    seed: Any = None
    bundle: str | None = None
    beam: Any = None
    passage: str | None = None  # what is between the rounds, as names write it

    def told(self, names: Iterable[str]) -> str:
        """Some of it, in words."""
        return ", ".join(f"{WORDS[name]} {getattr(self, name)}" for name in names)

    def unlike(self, other: Played) -> list[str]:
        """The names of what is known of both, and differs."""
        pairs = zip(fields(self), astuple(self), astuple(other), strict=True)
        return [f.name for f, a, b in pairs if None not in (a, b) and repr(a) != repr(b)]


WORDS = {
    "image": "image",
    "seed": "seed",
    "bundle": "bundle",
    "beam": "captioner.beam",
    "passage": "channel",
}


def played(folder: Path | str) -> dict[int, Played]:
    """With what each round in a chain's folder was played, in order."""
    folder = Path(folder)
    return {number: _played(folder, number) for number in numbers(folder)}


def numbers(folder: Path) -> list[int]:
    """The rounds of which a folder holds any file, as far as a chain can have them."""
    places = (folder, folder / "captions")
    names = [path.name for place in places if place.is_dir() for path in place.iterdir()]
    found = {int(name[1]) for name in map(ROUND.fullmatch, names) if name}
    return sorted(number for number in found if number <= MOST_ROUNDS)


def _played(folder: Path, number: int) -> Played:
    record = read_if_sound(folder / f"round{number}.json")
    passage = _passage(record) if record else None
    if not record:
        record = _notes(folder / f"round{number}.png")
        seed = record.get("seed", "")
        record["seed"] = int(seed) if seed.isdecimal() and len(seed) <= 20 else None
        record["bundle"] = {"name": record.get("bundle")}
    said = record.get("captioner")
    if not isinstance(said, dict):
        said = read_if_sound(folder / "captions" / f"round{number}.json")
    bundle = record.get("bundle")
    if not isinstance(bundle, dict) or bundle.get("name") is None:
        bundle = said.get("bundle")
    return Played(
        record.get("image"),
        record.get("seed"),
        bundle.get("name") if isinstance(bundle, dict) else None,
        said.get("beam"),
        _passage(said) if passage is None and "beam" in said else passage,
    )


def _passage(record: Mapping[str, Any]) -> str:
    """What a record says of what was between the rounds; only such chains' records do."""
    told = record.get("passage")
    return "~".join(map(str, told)) if isinstance(told, list) and told else "none"


def _notes(path: Path) -> dict[str, Any]:
    try:
        return dict(read_notes(path))
    except UserError:  # what it cannot tell is no reason not to play
        return {}


def check(stand: Mapping[Chain, Mapping[int, Played]], beam: int, results: Path | str) -> None:
    """Raises UserError if rounds stand that were played otherwise than their chain would be now.

    A chain keeps the seed, bundle and beam that it began with: a call which would change them is
    told what stands, and how to play beside it.
    """
    mixed, other = [], []
    for chain, rounds in stand.items():
        passage = "~".join(chain.passage) or "none"
        now = Played(chain.image, chain.seed, chain.bundle, beam, passage)
        rounds = {number: _in_turn(how, chain, number) for number, how in rounds.items()}
        place = Path(results, chain.name)
        groups = _groups(rounds)
        if len(groups) > 1:
            mixed.append(f"{place} holds rounds of different games: {_told(groups)}.")
        elif groups and (names := groups[0][1].unlike(now)):
            other.append((chain, groups[0][1], now, names))
    if mixed:
        rest = "Move what is there elsewhere or remove it, and play again."
        raise UserError("\n".join([*_some(mixed), rest]))
    if len(other) == 1:
        raise UserError(_alone(*other[0], Path(results)))
    if other:
        raise UserError(_many(other, Path(results)))


def _in_turn(how: Played, chain: Chain, number: int) -> Played:
    """What a round was played with; its bundle is the chain's first where it was its turn."""
    return replace(how, bundle=chain.bundle) if how.bundle == chain.bundle_at(number) else how


def _groups(stand: Mapping[int, Played]) -> list[tuple[list[int], Played]]:
    """Rounds that were played alike, and with what."""
    groups: list[tuple[list[int], Played]] = []
    for number, how in stand.items():
        alike = next((place for place, (_, one) in enumerate(groups) if not one.unlike(how)), None)
        if alike is None:
            groups.append(([number], how))
            continue
        rounds, one = groups[alike]
        known = (b if a is None else a for a, b in zip(astuple(one), astuple(how), strict=True))
        groups[alike] = ([*rounds, number], Played(*known))
    return groups


def _told(groups: list[tuple[list[int], Played]]) -> str:
    """Which rounds were played with what, as far as that differs."""
    first = groups[0][1]
    names = dict.fromkeys(name for _, how in groups for name in first.unlike(how))
    told = [f"{_ranges(rounds)} with {how.told(names)}" for rounds, how in groups]
    return "; ".join(told)


def _ranges(rounds: list[int]) -> str:
    """Numbers in words: round 1, rounds 3–24."""
    runs = []
    for _, run in groupby(enumerate(rounds), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in run]
        runs.append(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}")
    return f"round{'s' if len(rounds) > 1 else ''} {', '.join(runs)}"


def _alone(chain: Chain, then: Played, now: Played, names: list[str], results: Path) -> str:
    place = results / chain.name
    beside = _beside(chain, names)
    instead = f"Ask for {results / beside}/… to play that beside it" if beside else ""
    if not beside and names == ["beam"]:
        instead = f"Set {then.told(names)} to go on with it"
    anew = f"move {place} elsewhere or remove it to play it anew"
    whose = "this call's is" if beside or names == ["beam"] else "its name stands for"
    return (
        f"{place} was played with {then.told(names)}; {whose} {now.told(names)}. Nothing was"
        f" changed. {f'{instead}, or {anew}' if instead else anew.capitalize()}."
    )


def _many(other: list[tuple[Chain, Played, Played, list[str]]], results: Path) -> str:
    lines = [
        f"{results / chain.name} was played with {then.told(names)}; this call's is"
        f" {now.told(names)}."
        for chain, then, now, names in other
    ]
    beside = next((b for chain, _, _, names in other if (b := _beside(chain, names))), None)
    instead = (
        f"Ask for {results / beside}/… and so on to play beside them, or move" if beside else ""
    )
    anew = f"{instead or 'Move'} these folders elsewhere or remove them to play them anew."
    return "\n".join([*_some(lines), f"Nothing was changed. {anew}"])


def _some(lines: list[str]) -> list[str]:
    more = [f"… and {len(lines) - SHOWN} more."] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more


def _beside(chain: Chain, names: Iterable[str]) -> str:
    """The name of a chain of its own for what the config says now; "" if there is none."""
    seed = f"@{chain.seed}" if "seed" in names or "@" in chain.name else ""
    own = chain.name.partition("+")[2]
    bundles = ",".join(chain.bundles) or chain.bundle
    bundle = bundles if "bundle" in names or own.partition("~")[0] else ""
    passage = "~".join(chain.passage) or "none"
    tail = f"~{passage}" if "passage" in names or "~" in own else ""
    name = f"{chain.image}{seed}{'+' if bundle or tail else ''}{bundle}{tail}"
    return name if "image" not in names and name != chain.name else ""
