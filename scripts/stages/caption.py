"""The first stage of a round: a picture becomes a sentence.

Files in, files out; each output is written whole or not at all. torch is imported by the first
stage that runs, so that whoever only plans a game need not wait for it.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from scripts.bundles import Bundle
from scripts.chains import TEXT
from scripts.devices import choose_device
from scripts.errors import UserError
from scripts.files import write_json, written
from scripts.untrusted import open_picture, read_text

SPECIAL = ("<start>", "<end>")  # words of the captioner that are no part of a caption


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
        said = describe(open_picture(source, note=_say), bundle, device, threads, beam)
        if not said[0][0]:
            raise UserError(f"{source}: the bundle {bundle.name} says nothing about this picture.")
        found["caption"], found["log_probability"] = said[0]
        found["beam"] = beam
        found["others"] = [
            {"caption": other, "log_probability": score} for other, score in said[1:]
        ]
        found["bundle"] = {"name": bundle.name, "files": bundle.digests("captioner")}
    write_json(record, found)
    with written(text) as part:
        part.write_bytes(f"{found['caption']}\n".encode())


def _say(note: str) -> None:
    print(note, file=sys.stderr, flush=True)


def describe(
    picture: Image.Image, bundle: Bundle, device: str, threads: int, beam: int = 1
) -> list[tuple[str, float]]:
    """What the captioner says of an RGB picture: up to `beam` sentences, the likeliest first.

    With each, the natural logarithm of its probability. Raises UserError if that is not a number.
    """
    import torch
    from torchvision.transforms.functional import normalize, to_tensor

    from scripts.captioner.network import MEAN, STD

    torch.set_num_threads(threads)  # this thread's
    place = choose_device(device)
    network = bundle.network("captioner", place)
    side = network.config.size
    square = picture.resize((side, side), Image.Resampling.LANCZOS)
    pixels = normalize(to_tensor(square), MEAN, STD)[None].to(place)  # (1, 3, S, S)
    said = network.captions(pixels, beam)
    if not all(math.isfinite(score) for _, score in said):
        raise UserError(bundle.damaged("captioner"))
    return [(_sentence(bundle.words["captioner"].spell(ids)), score) for ids, score in said]


def _sentence(words: list[str]) -> str:
    return " ".join(word for word in words if word not in SPECIAL)
