"""The second stage of a round: a sentence becomes a picture.

Files in, files out; each output is written whole or not at all. torch is imported by the first
stage that runs, so that whoever only plans a game need not wait for it.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from scripts import batches
from scripts.bundles import Bundle
from scripts.chains import Chain
from scripts.devices import choose_device
from scripts.errors import UserError
from scripts.files import json_bytes, unchanged, write_json, written
from scripts.untrusted.texts import read_json, read_text

if TYPE_CHECKING:
    from torch import Generator

    from scripts.players import Reading


PASSED = ("channel", "said", "temperature", "top_p")  # of a caption, if something was between


def generate(
    text: Path | str,
    picture: Path | str,
    record: Path | str,
    *,
    chain: Chain,
    round_: int,
    bundle: Bundle,
    device: str,
    threads: int,
    said: Path | str | None = None,
    recipe: str = "",
    batch: int = 1,
) -> None:
    """Paints the caption in a file: a PNG, and a JSON record of how it was made.

    `said` is the caption's own record, of which the record notes how sure the captioner was.
    `recipe` is noted in the record: a digest of all that the picture depends on. Raises UserError
    if the caption has no word that the generator knows, or the device is not there.
    """
    files = digests(bundle)  # before anything is loaded
    device = choose_device(device)
    with unchanged(text, *([said] if said else [])):
        sentence, reading = caption_to_paint(text, bundle)
        [image] = paint(sentence, chain, round_, bundle, device, threads, batch=batch)
        sure = how_sure(said, sentence)
        for player in bundle.players:
            player.check_unchanged()
    made = {
        "chain": chain.name,
        "image": chain.image,
        "round": round_,
        "candidate": 0,
        "seed": chain.seed,
        "caption": sentence,
        **asdict(reading),
        "captioner": sure,
        "bundle": {
            "name": bundle.name,
            "files": files,
            "sizes": {k: v for player in bundle.players for k, v in player.settings.items()},
        },
        **({"passage": list(chain.passage)} if chain.passage else {}),
        "players": {player.role: player.provenance() for player in bundle.players},
        "size": list(image.size),
        "pixels_sha256": hashlib.sha256(image.tobytes()).hexdigest(),
        "device": device,
        "batch": batches.size(device, batch),
        "versions": versions(bundle),
        "recipe": recipe,
    }
    write_json(record, made)
    with written(picture) as part:
        image.save(part, format="PNG", pnginfo=_notes(made))


def paint(
    caption: str,
    chain: Chain,
    round_: int,
    bundle: Bundle,
    device: str,
    threads: int,
    candidates: Iterable[int] = (0,),
    batch: int = 1,
) -> list[Image.Image]:
    """Pictures of a caption, one for each candidate's number: see Painter.paint.

    On a graphics card `batch` pictures are painted together, those of other threads among them.
    """
    import torch

    torch.set_num_threads(threads)  # this thread's
    painter = bundle.painter

    def work(turns: list[tuple[str, Callable[[], Generator]]]) -> list[Image.Image]:
        captions, draws = zip(*turns, strict=True)
        return painter.paint(captions, [draw() for draw in draws], device)

    # Generators are made anew for each attempt, since painting uses them up.
    turns = [(caption, partial(chance, chain, round_, candidate)) for candidate in candidates]
    network = (*painter.identity, device)
    return batches.play(network, work, turns, batches.size(device, batch))


def chance(chain: Chain, round_: int, candidate: int = 0) -> Generator:
    """Where the chance in a picture comes from."""
    from scripts import noise

    return noise.generator(chain.seed, chain.image, round_, candidate)


def caption_to_paint(text: Path | str, bundle: Bundle) -> tuple[str, Reading]:
    """The caption in a file, and how the painter reads it.

    Raises UserError if it knows no word of it.
    """
    caption = read_text(text)
    reading = bundle.painter.read(caption)
    if reading.words == []:
        raise UserError(
            f"{text}: the bundle {bundle.name} knows no word of this caption: {caption[:200]!r}. "
            "Nothing can be painted."
        )
    return caption, reading


def check_attention(bundle: Bundle) -> None:
    """Raises UserError if the bundle's painter has no attention maps."""
    if bundle.painter.no_attention:
        raise UserError(
            f"{bundle.folder}/bundle.yaml: there are no attention maps with this bundle: "
            f"{bundle.painter.no_attention}."
        )


def how_sure(said: Path | str | None, caption: str) -> dict[str, Any] | None:
    """How a caption was decoded, and its log probability; None of a text that nobody said.

    (Of one that somebody has changed by hand since, too.)
    """
    if said is None:
        return None
    found = read_json(said)
    if not isinstance(found, dict) or "beam" not in found or found.get("caption") != caption:
        return None
    passed = {key: found[key] for key in PASSED if key in found}
    return {key: found.get(key) for key in ("beam", "log_probability")} | passed


def _notes(made: dict[str, Any]) -> PngInfo:
    """What the picture says about itself, as text chunks of the PNG."""
    notes = PngInfo()
    notes.add_text("Software", "TelephoneGAN")
    for key in ("caption", "image", "chain", "round", "candidate", "seed"):
        _note(notes, key, str(made[key]))
    _note(notes, "bundle", made["bundle"]["name"])
    _note(notes, "record", hashlib.sha256(json_bytes(made)).hexdigest())
    return notes


def _note(notes: PngInfo, key: str, value: str) -> None:
    if value.isascii():
        notes.add_text(key, value)
    else:
        notes.add_itxt(key, value)


def digests(bundle: Bundle) -> dict[str, str]:
    """The sha256 of each file that a round with this bundle depends on, by the file's name."""
    return {name: digest for player in bundle.players for name, digest in player.digests().items()}


def versions(bundle: Bundle) -> dict[str, str]:
    """Of Python and of the packages that a round with this bundle may depend on."""
    import torch
    import torchvision

    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # says what it was built for, too: 2.14.1+cu130
        "torchvision": str(torchvision.__version__),
        "pillow": version("pillow"),
        "safetensors": version("safetensors"),
        **{name: version(name) for player in bundle.players for name in player.packages},
    }
