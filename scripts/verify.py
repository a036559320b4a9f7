"""Plays stages again and compares what comes out with what was recorded."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from PIL.Image import Image

from scripts import records
from scripts.bundles import Bundle
from scripts.chains import BaseFiles, Chain
from scripts.devices import choose_device
from scripts.errors import UserError
from scripts.files import digest, written
from scripts.stages.caption import hear, how_familiar
from scripts.stages.generate import caption_to_paint, digests, how_sure, paint, versions
from scripts.untrusted.pictures import open_picture, read_notes

SHOWN = 20  # differences that are told; the table has all
COLUMNS = ("chain", "round", "stage", "same", "difference")
# What a caption's record says beside what can come out again: of a CPU the batch is 1, whatever a
# card's was.
NOTES = ("batch",)
LATER = {"player", "familiarity", "familiar"}  # what the records of older versions lack
# What the picture's own notes repeat of its record.
NOTED = ("caption", "image", "chain", "round", "candidate", "seed")
# A chain, its round and stage; how it differs from what was recorded, or why nobody can tell.
Finding = tuple[tuple[str, str, str], str]


@dataclass(frozen=True)
class Stage:
    """One caption or picture that was recorded."""

    chain: Chain
    round_: int
    kind: str  # caption or generate

    @property
    def draw(self) -> float:
        """In [0, 1), the same for this stage at all times: shares of the stages nest."""
        digest = hashlib.blake2b(f"{self.chain.name}/{self.round_}/{self.kind}".encode())
        return int.from_bytes(digest.digest()[:8], "big") / 2**64

    @property
    def whose(self) -> tuple[str, str, str]:
        return self.chain.name, str(self.round_), self.kind

    def as_recorded(self, record: dict[str, Any]) -> Stage:
        """The same stage, with what its record says where the chain's name leaves it out."""
        chain, name = self.chain, self.chain.name
        if "@" not in name and isinstance(record.get("seed"), int):
            chain = replace(chain, seed=record["seed"])
        if "+" not in name:
            bundle = record.get("bundle", {}).get("name", chain.bundle)
            chain = replace(chain, bundle=bundle, passage=tuple(record.get("passage", ())))
        return replace(self, chain=chain)

    def file(self, ending: str, back: int = 0) -> Path:
        return Path(f"results/{self.chain.name}/round{self.round_ - back}.{ending}")


def recorded(chain_named: Callable[[str], Chain]) -> tuple[list[Stage], list[Finding]]:
    """Every stage in results/ that has a record, in order; and what cannot be verified, and why."""
    stages: list[Stage] = []
    lacking: list[Finding] = []
    for folder in sorted(path for path in Path("results").glob("*") if path.is_dir()):
        rounds = records.numbers(folder)
        try:
            chain = chain_named(folder.name) if rounds else None
        except UserError as error:
            lacking.append(((folder.name, "", "chain"), f"it cannot be verified: {error}"))
            continue
        for number in range(1, max(rounds, default=0) + 1):
            record = folder / f"round{number}.json"
            said = folder / "captions" / record.name
            if not record.is_file():
                lacking.append(((folder.name, str(number), "generate"), f"{record} is missing"))
            else:
                stages.append(Stage(chain, number, "generate"))
            if said.is_file():
                stages.append(Stage(chain, number, "caption"))
            elif _was_said(record):
                lacking.append(((folder.name, str(number), "caption"), f"{said} is missing"))
    return stages, lacking


def _was_said(record: Path) -> bool:
    """Whether a record tells that its caption was said by a captioner."""
    return records.read_if_sound(record).get("captioner") is not None


def verify(
    share: float,
    table: Path | str,
    *,
    chain_named: Callable[[str], Chain],
    bundle_called: Callable[[str], Bundle],
    device: str,
    threads: int = 1,
) -> str:
    """Play `share` (0 to 1) of all recorded stages again; a line of the table for each.

    Each is played with the seed, bundle, beam and channel of its record. Returns what to tell.
    Raises UserError if nothing was recorded, anything came out otherwise, or could not be verified:
    its message names the stages, and what has changed since their records were written.
    """
    every, lacking = recorded(chain_named)
    if not every and not lacking:
        raise UserError("results/ holds no recorded round; play a game first.")
    chosen = [stage for stage in every if stage.draw < share]
    chosen = chosen or ([min(every, key=_by_draw)] if every else [])
    played = [
        (
            (stage.chain.name, str(stage.round_), stage.kind),
            _again(stage, bundle_called, device, threads),
        )
        for stage in chosen
    ]
    found = lacking + played
    with written(table) as part:
        part.write_text(_lines(found), encoding="utf-8")
    wrong = [finding for finding in found if finding[1]]
    if wrong:
        told = [_told(*finding) for finding in wrong[:SHOWN]]
        rest = [f"… and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        different = sum(1 for _, difference in played if difference)
        heading = f"{different} of {len(played)} stages come out otherwise than recorded"
        heading += f", {len(lacking)} cannot be verified:" if lacking else ":"
        raise UserError("\n".join([heading, *told, *rest, f"All: {table}"]))
    return f"{len(played)} of {len(every)} recorded stages were played again: all the same."


def _told(whose: tuple[str, str, str], difference: str) -> str:
    name, number, _ = whose
    return f"results/{name}: {f'round {number}: ' if number else ''}{difference}"


def _by_draw(stage: Stage) -> float:
    return stage.draw


def _again(stage: Stage, bundle_called: Callable[[str], Bundle], device: str, threads: int) -> str:
    """How the stage comes out otherwise than recorded; "" if it does not."""
    try:
        path = stage.file("json")
        record = records.read(path) if path.exists() or stage.kind == "generate" else {}
        note = path.parent / "captions" / path.name
        told = records.read(note) if stage.kind == "caption" else record
        then = stage.as_recorded(record or told)
        bundle = bundle_called(then.chain.bundle_at(then.round_))
        play = _caption if stage.kind == "caption" else _picture
        differences = play(then, told, bundle, device, threads)
        if differences:
            differences[0] += _changed(record or told, bundle)
    except (UserError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"it cannot be played again ({type(error).__name__}: {error})"
    return "; ".join(differences)


def _caption(
    stage: Stage, told: dict[str, Any], bundle: Bundle, device: str, threads: int
) -> list[str]:
    said = stage.file("txt").read_text(encoding="utf-8").rstrip("\n")
    source = stage.file("png", back=1)
    if stage.round_ == 1:
        source = BaseFiles.read("input").find(stage.chain.image)
    elif stage.chain.repeats:
        source = stage.file("txt").with_name("round1.txt")
    beam, batch = told.get("beam", 1), told.get("batch", 1)
    again = hear(source, bundle, device, threads, beam, stage.chain, stage.round_, batch=batch)
    if again["caption"] != said:
        return [f"the caption of {source} was {said!r} and is {again['caption']!r}"]
    again["source"] = str(source)
    if stage.round_ == 1:
        again |= how_familiar(source, bundle, device)
    for note in NOTES:
        again.pop(note, None)
    for new in LATER & (again.keys() - told.keys()):  # an older version said nothing of it
        again.pop(new)
    strange = sorted(told.keys() - again.keys() - set(NOTES))
    return _fields(told, again) + [f"the record's {name} is nothing known" for name in strange]


def _picture(
    stage: Stage, record: dict[str, Any], bundle: Bundle, device: str, threads: int
) -> list[str]:
    picture = open_picture(stage.file("png"))
    if _pixels(picture) != record["pixels_sha256"]:
        return ["the picture that lies there is not the one that was recorded"]
    caption, reading = caption_to_paint(stage.file("txt"), bundle)
    device = choose_device(device)
    batch = record.get("batch", 1)
    [again] = paint(caption, stage.chain, stage.round_, bundle, device, threads, batch=batch)
    same = _pixels(again) == record["pixels_sha256"]
    differences = [] if same else ["the picture comes out otherwise"]
    stated = {
        "chain": stage.chain.name,
        "image": stage.chain.image,
        "round": stage.round_,
        "candidate": 0,
        "seed": stage.chain.seed,
        "caption": caption,
        **asdict(reading),
        "size": list(again.size),
        "bundle": {
            "name": bundle.name,
            # Where the picture differs, it is told below which files have changed.
            "files": digests(bundle) if same else record["bundle"]["files"],
            "sizes": _as_told(record["bundle"].get("sizes"), bundle),
        },
        "players": {player.role: player.provenance() for player in bundle.players},
    }
    if "players" not in record:
        stated.pop("players")
    said = stage.file("json").parent / "captions" / stage.file("json").name
    if said.is_file():
        stated["captioner"] = how_sure(said, caption)
    notes = read_notes(stage.file("png"))
    told = {"bundle": record["bundle"]["name"], **{k: str(record[k]) for k in NOTED}}
    if "record" in notes:  # so that no field of the record can change alone; older ones lack it
        told["record"] = digest(stage.file("json"))
    odd = [f"the PNG's note {key!r}" for key, value in told.items() if notes.get(key) != value]
    odd += [f"the PNG's note {key!r}" for key in sorted(notes.keys() - told.keys() - {"Software"})]
    return differences + _fields(record, stated) + [f"{name} is not its record's" for name in odd]


def _as_told(told: Any, bundle: Bundle) -> Any:
    """The bundle's sizes, as far as a record has them: older versions left defaults out."""
    now = {part: own for player in bundle.players for part, own in player.settings.items()}
    if not isinstance(told, dict) or not all(isinstance(own, dict) for own in told.values()):
        return now
    return {
        part: {key: value for key, value in own.items() if key in told.get(part, own)}
        for part, own in now.items()
    }


def _pixels(picture: Image) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()


def _fields(told: dict[str, Any], again: dict[str, Any], within: str = "") -> list[str]:
    """Which fields of a record are not what comes out."""
    wrong = []
    for name, value in again.items():
        if isinstance(value, dict) and isinstance(told.get(name), dict):
            wrong += _fields(told[name], value, f"{within}{name}.")
        elif not _alike(told.get(name), value):
            wrong.append(f"the record's {within}{name} is {str(told.get(name))[:80]!r}")
    strange = sorted(told.keys() - again.keys()) if within else []
    return wrong + [f"the record's {within}{name} is nothing known" for name in strange]


def _alike(one: Any, other: Any) -> bool:
    """Whether two values are the same; probabilities may differ in the last bits."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-3)
    return type(one) is type(other) and one == other


def _changed(record: dict[str, Any], bundle: Bundle) -> str:
    """What is no longer as the record says, as part of a sentence."""
    then = {**record["bundle"]["files"], **record.get("versions", {})}
    now = {**digests(bundle), **versions(bundle)}
    names = sorted(name for name in then if then[name] != now.get(name))
    return f" (changed since: {', '.join(names)})" if names else " (nothing recorded has changed)"


def _lines(found: list[Finding]) -> str:
    rows = [(*whose, "no" if why else "yes", why) for whose, why in found]
    lines = (" ".join("\t".join(row).splitlines()) for row in (COLUMNS, *rows))
    return "".join(f"{line}\n" for line in lines)
