"""Plays stages again and compares what comes out with what was recorded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bundles import Bundle
from scripts.chains import BaseFiles, Chain
from scripts.devices import choose_device
from scripts.errors import UserError
from scripts.files import written
from scripts.stages.caption import hear
from scripts.stages.generate import caption_to_paint, digests, paint, versions
from scripts.untrusted import open_picture

SHOWN = 20  # differences that are told; the table has all
COLUMNS = ("chain", "round", "stage", "same", "difference")


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

    def file(self, ending: str, back: int = 0) -> Path:
        return Path(f"results/{self.chain.name}/round{self.round_ - back}.{ending}")


def recorded(chain_called: Callable[[str], Chain]) -> Iterator[Stage]:
    """Every stage in results/ that has a record, in order."""
    for record in sorted(Path("results").glob("*/round*.json")):
        number = record.stem.removeprefix("round")
        if number.isdigit():
            chain = chain_called(record.parent.name)
            yield Stage(chain, int(number), "generate")
            if (record.parent / "captions" / record.name).exists():
                yield Stage(chain, int(number), "caption")


def verify(
    share: float,
    table: Path | str,
    *,
    chain_called: Callable[[str], Chain],
    bundle_called: Callable[[str], Bundle],
    device: str,
    threads: int = 1,
) -> str:
    """Play `share` (0 to 1) of all recorded stages again; a line of the table for each.

    Returns what to tell. Raises UserError if nothing was recorded, or anything came out otherwise:
    its message names the stages, and what has changed since their records were written.
    """
    every = list(recorded(chain_called))
    if not every:
        raise UserError("results/ holds no recorded round; play a game first.")
    chosen = [stage for stage in every if stage.draw < share] or [min(every, key=_by_draw)]
    found = [
        (stage, _again(stage, bundle_called(stage.chain.bundle_at(stage.round_)), device, threads))
        for stage in chosen
    ]
    with written(table) as part:
        part.write_text(_lines(found), encoding="utf-8")
    wrong = [(stage, difference) for stage, difference in found if difference]
    if wrong:
        told = [f"{s.file('json').parent}: round {s.round_}: {why}" for s, why in wrong[:SHOWN]]
        rest = f"… and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        heading = f"{len(wrong)} of {len(found)} stages come out otherwise than recorded:"
        raise UserError("\n".join([heading, *told, *([rest] if rest else []), f"All: {table}"]))
    return f"{len(found)} of {len(every)} recorded stages were played again: all the same."


def _by_draw(stage: Stage) -> float:
    return stage.draw


def _again(stage: Stage, bundle: Bundle, device: str, threads: int) -> str:
    """How the stage comes out otherwise than recorded; "" if it does not."""
    try:
        record = json.loads(stage.file("json").read_text(encoding="utf-8"))
        play = _caption if stage.kind == "caption" else _picture
        difference = play(stage, record, bundle, device, threads)
    except (UserError, OSError, ValueError, KeyError, TypeError) as error:
        return f"it cannot be played again ({type(error).__name__}: {error})"
    return f"{difference}{_changed(record, bundle)}" if difference else ""


def _caption(
    stage: Stage, record: dict[str, Any], bundle: Bundle, device: str, threads: int
) -> str:
    said = stage.file("txt").read_text(encoding="utf-8").rstrip("\n")
    note = stage.file("json").parent / "captions" / stage.file("json").name
    said_then = json.loads(note.read_text(encoding="utf-8"))
    beam, batch = said_then.get("beam", 1), said_then.get("batch", 1)
    source = stage.file("png", back=1)
    if stage.round_ == 1:
        source = BaseFiles.read("input").find(stage.chain.image)
    elif stage.chain.repeats:
        source = stage.file("txt").with_name("round1.txt")
    again = hear(source, bundle, device, threads, beam, stage.chain, stage.round_, batch=batch)[
        "caption"
    ]
    return "" if again == said else f"the caption of {source} was {said!r} and is {again!r}"


def _picture(
    stage: Stage, record: dict[str, Any], bundle: Bundle, device: str, threads: int
) -> str:
    lies_there = hashlib.sha256(open_picture(stage.file("png")).tobytes()).hexdigest()
    if lies_there != record["pixels_sha256"]:
        return "the picture that lies there is not the one that was recorded"
    caption, _ = caption_to_paint(stage.file("txt"), bundle)
    place = choose_device(device)
    batch = record.get("batch", 1)
    [picture] = paint(caption, stage.chain, stage.round_, bundle, place, threads, batch=batch)
    again = hashlib.sha256(picture.tobytes()).hexdigest()
    return "" if again == record["pixels_sha256"] else "the picture comes out otherwise"


def _changed(record: dict[str, Any], bundle: Bundle) -> str:
    """What is no longer as the record says, as part of a sentence."""
    then = {**record["bundle"]["files"], **record["versions"], "device": record["device"]}
    now = {**digests(bundle), **versions(bundle), "device": record["device"]}
    names = sorted(name for name in then if then[name] != now.get(name))
    return f" (changed since: {', '.join(names)})" if names else " (nothing recorded has changed)"


def _lines(found: list[tuple[Stage, str]]) -> str:
    rows = [
        (stage.chain.name, str(stage.round_), stage.kind, "no" if why else "yes", why)
        for stage, why in found
    ]
    return "".join("\t".join(row).replace("\n", " ") + "\n" for row in (COLUMNS, *rows))
