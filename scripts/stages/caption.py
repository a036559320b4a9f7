"""The first stage of a round: a picture becomes a sentence.

Files in, files out; each output is written whole or not at all. torch is imported by the first
stage that runs, so that whoever only plans a game need not wait for it.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from scripts.bundles import Bundle
from scripts.chains import TEXT
from scripts.devices import choose_device
from scripts.errors import UserError
from scripts.files import write_json, written
from scripts.untrusted import open_picture, read_text

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
) -> None:
    """Writes the caption of a picture, one line, and a JSON record of how it was found.

    Of a base text, that is the text itself as one line. Raises UserError if the picture or the
    text cannot be read, or there is nothing to say.
    """
    found: dict[str, Any] = {"source": str(source)}
    if Path(source).suffix.lower() == TEXT:
        found["caption"] = read_text(source)
    else:
        picture = open_picture(source, note=_say)
        first, *others = describe(picture, bundle, device, threads, beam)
        if not first.caption:
            raise UserError(f"{source}: the bundle {bundle.name} says nothing about this picture.")
        player = bundle.captioner
        found |= asdict(first)
        found["beam"] = beam
        found["others"] = [asdict(other) for other in others]
        found["bundle"] = {"name": bundle.name, "files": player.digests()}
        found["player"] = player.provenance()
    write_json(record, found)
    with written(text) as part:
        part.write_bytes(f"{found['caption']}\n".encode())


def _say(note: str) -> None:
    print(note, file=sys.stderr, flush=True)


def describe(
    picture: Image.Image, bundle: Bundle, device: str, threads: int, beam: int = 1
) -> list[Said]:
    """What the captioner says of an RGB picture: see Captioner.describe."""
    import torch

    torch.set_num_threads(threads)  # this thread's
    return bundle.captioner.describe([picture], choose_device(device), beam)[0]
