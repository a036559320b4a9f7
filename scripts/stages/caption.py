"""The first stage of a round: a picture becomes a sentence.

Files in, files out; each output is written whole or not at all. torch is imported by the first
stage that runs, so that whoever only plans a game need not wait for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from scripts import batches, channel
from scripts.bundles import Bundle
from scripts.chains import Chain
from scripts.devices import choose_device
from scripts.errors import UserError
from scripts.files import unchanged, write_json, written
from scripts.players import Sampling
from scripts.untrusted.files import is_text
from scripts.untrusted.pictures import open_picture
from scripts.untrusted.texts import read_text

if TYPE_CHECKING:
    from scripts.players import Said


def caption(
    source: Path | str,
    text: Path | str,
    record: Path | str,
    bundle: Bundle,
    device: str,
    threads: int,
    beam: int = 1,
    chain: Chain | None = None,
    round_: int = 1,
    batch: int = 1,
) -> None:
    """Writes the caption of a picture, one line, and a JSON record of how it was found.

    Of a text, that is the text itself as one line. `chain` and `round_` tell what is between the
    rounds: the picture is seen, and the caption is written, as the channel lets them through.
    Raises UserError if the picture or the text cannot be read, or there is nothing to say.
    """
    found = {"source": str(source)}
    with unchanged(source):
        found |= hear(source, bundle, device, threads, beam, chain, round_, batch, note=_say)
        if round_ == 1:
            found |= how_familiar(source, bundle, device)
        if "bundle" in found:
            bundle.captioner.check_unchanged()
    write_json(record, found)
    with written(text) as part:
        part.write_bytes(f"{found['caption']}\n".encode())


def how_familiar(source: Path | str, bundle: Bundle, device: str) -> dict[str, float]:
    """What a record says of how familiar a base picture is, where the bundle has a level for it."""
    player = bundle.captioner
    if is_text(source) or player.familiar is None:
        return {}
    score = player.familiarity(open_picture(source), choose_device(device))
    return {"familiarity": round(score, 3), "familiar": player.familiar}


def _say(note: str) -> None:
    print(note, file=sys.stderr, flush=True)


def hear(
    source: Path | str,
    bundle: Bundle,
    device: str,
    threads: int,
    beam: int = 1,
    chain: Chain | None = None,
    round_: int = 1,
    batch: int = 1,
    note: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """What `caption` records: the caption that comes through, and how it was found.

    What is odd about the picture, and does not hinder, is told to `note`.
    """
    if is_text(source):
        return {"caption": read_text(source)}
    player = bundle.captioner
    files = player.digests()  # before anything is loaded
    picture = open_picture(source, note=note)
    first, *others = describe(picture, bundle, device, threads, beam, chain, round_, batch)
    if not first.caption:
        raise UserError(f"{source}: the bundle {bundle.name} says nothing about this picture.")
    return {
        **asdict(first),
        "beam": beam,
        "batch": batches.size(choose_device(device), batch),
        "others": [asdict(other) for other in others],
        "bundle": {"name": bundle.name, "files": files},
        "player": player.provenance(),
        **_passed(first.caption, chain, round_),
    }


def describe(
    picture: Image.Image,
    bundle: Bundle,
    device: str,
    threads: int,
    beam: int = 1,
    chain: Chain | None = None,
    round_: int = 1,
    batch: int = 1,
) -> list[Said]:
    """What the captioner says of an RGB picture, as it sees it: see Captioner.describe.

    On a graphics card `batch` pictures are described together, those of other threads among them.
    """
    import torch

    torch.set_num_threads(threads)  # this thread's
    player, device = bundle.captioner, choose_device(device)
    passage = channel.Passage.read(chain.passage, chain.name) if chain else channel.Passage()
    if passage.channel and round_ > 1:
        picture = channel.picture_through(picture, passage.channel, _chance(chain, round_))
    if not passage.temperature:

        def work(pictures: list[Image.Image]) -> list[list[Said]]:
            return player.describe(pictures, device, beam)

        network = (*player.identity, device, beam)
        return batches.play(network, work, [picture], batches.size(device, batch))[0]
    drawn = Sampling(passage.temperature, passage.top_p, _chance(chain, round_)("caption"))
    return player.sample(picture, device, drawn)


def _chance(chain: Chain, round_: int) -> channel.Chance:
    """Where the chance of each kind comes from, in one round."""
    return partial(channel.chance_of, chain.seed, chain.image, round_)


def _passed(caption: str, chain: Chain | None, round_: int) -> dict[str, Any]:
    """What a record says of what is between the rounds: what was said, and what came through."""
    if chain is None or not chain.passage:
        return {}
    passage = channel.Passage.read(chain.passage, chain.name)
    found = {"passage": list(chain.passage)} | passage.told
    if passage.channel and round_ > 1:
        found["said"] = caption
        found["caption"] = channel.text_through(caption, passage.channel, _chance(chain, round_))
    return found
