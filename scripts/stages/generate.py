"""The second stage of a round: a sentence becomes a picture.

Files in, files out; each output is written whole or not at all. torch is imported by the first
stage that runs, so that whoever only plans a game need not wait for it.
"""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from scripts.bundles import GAME, Bundle
from scripts.chains import Chain
from scripts.devices import choose_device
from scripts.errors import UserError
from scripts.files import write_json, written
from scripts.untrusted import read_text
from scripts.words import encode, tokenize

if TYPE_CHECKING:
    from torch import Tensor

    from scripts.attngan.generator import Painting


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
) -> None:
    """Paints the caption in a file: a PNG, and a JSON record of how it was made.

    `said` is the caption's own record, of which the record notes how sure the captioner was.
    `recipe` is noted in the record: a digest of all that the picture depends on. Raises UserError
    if the caption has no word that the generator knows, or the device is not there.
    """
    sentence, ids, unknown = words_to_paint(text, bundle)
    place = choose_device(device)
    pixels = paint(ids, chain, round_, bundle, place, threads)  # (S, S, 3)
    image = Image.fromarray(pixels.numpy())
    made = {
        "chain": chain.name,
        "image": chain.image,
        "round": round_,
        "candidate": 0,
        "seed": chain.seed,
        "caption": sentence,
        "words": [word for word in tokenize(sentence) if word not in unknown],
        "word_ids": ids,
        "unknown_words": unknown,
        "captioner": _how_sure(said),
        "bundle": {
            "name": bundle.name,
            "files": bundle.digests(*GAME),
            "sizes": {part: bundle.sizes(part) for part in GAME},
        },
        "size": list(image.size),
        "pixels_sha256": hashlib.sha256(image.tobytes()).hexdigest(),
        "device": place,
        "versions": versions(),
        "recipe": recipe,
    }
    write_json(record, made)
    with written(picture) as part:
        image.save(part, format="PNG", pnginfo=_notes(made))


def paint(
    ids: list[int],
    chain: Chain,
    round_: int,
    bundle: Bundle,
    place: str,
    threads: int,
    candidate: int = 0,
) -> Tensor:
    """One picture of a caption given as the words' ids: (S, S, 3), uint8, on the CPU."""
    painting = compose(ids, chain, round_, bundle, place, threads, candidate)
    return pixels_of(painting.pictures[-1])


def compose(
    ids: list[int],
    chain: Chain,
    round_: int,
    bundle: Bundle,
    place: str,
    threads: int,
    candidate: int = 0,
) -> Painting:
    """All that the generator makes of a caption: every stage's picture, and what it looked at.

    Raises UserError if a pixel is not a number.
    """
    import torch

    from scripts import noise

    torch.set_num_threads(threads)  # this thread's
    reader, painter = bundle.network("text_encoder", place), bundle.network("generator", place)
    sizes = painter.config
    z, eps = noise.draw(chain.seed, chain.image, round_, candidate, sizes.noise, sizes.condition)
    with torch.inference_mode():
        tokens = torch.tensor([ids], device=place)  # (1, T)
        words, sentence = reader(tokens, torch.tensor([len(ids)]))  # (1, D, T), (1, D)
        padding = torch.zeros_like(tokens, dtype=torch.bool)  # (1, T)
        painting = painter(z[None].to(place), eps[None].to(place), words, sentence, padding)
        if not torch.isfinite(painting.pictures[-1]).all():
            raise UserError(bundle.damaged("generator"))
        return painting


def pixels_of(picture: Tensor) -> Tensor:
    """(S, S, 3), uint8, on the CPU, of a painted picture (1, 3, S, S) in [-1, 1]."""
    import torch

    with torch.inference_mode():
        last = picture[0].float().cpu()  # (3, S, S)
        return ((last + 1) * 127.5).to(torch.uint8).permute(1, 2, 0).contiguous()


def words_to_paint(text: Path | str, bundle: Bundle) -> tuple[str, list[int], list[str]]:
    """A caption, the numbers of its words, and the words that the generator does not know.

    Raises UserError if it knows none of them.
    """
    sentence = read_text(text)
    ids, unknown = encode(sentence, bundle.words["text_encoder"])
    if not ids:
        raise UserError(
            f"{text}: the bundle {bundle.name} knows no word of this caption: {sentence[:200]!r}. "
            "Nothing can be painted."
        )
    return sentence, ids, unknown


def _how_sure(said: Path | str | None) -> dict[str, Any] | None:
    """How a caption was decoded, and its log probability; None of a text that nobody said."""
    if said is None:
        return None
    found = json.loads(Path(said).read_text(encoding="utf-8"))
    if "beam" not in found:
        return None
    return {key: found[key] for key in ("beam", "log_probability")}


def _notes(made: dict[str, Any]) -> PngInfo:
    """What the picture says about itself, as text chunks of the PNG."""
    notes = PngInfo()
    notes.add_text("Software", "TelephoneGAN")
    for key in ("caption", "image", "chain", "round", "candidate", "seed"):
        _note(notes, key, str(made[key]))
    _note(notes, "bundle", made["bundle"]["name"])
    return notes


def _note(notes: PngInfo, key: str, value: str) -> None:
    if value.isascii():
        notes.add_text(key, value)
    else:
        notes.add_itxt(key, value)


def versions() -> dict[str, str]:
    """Of Python and of the packages that a picture may depend on."""
    import torch
    import torchvision

    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # says what it was built for, too: 2.14.1+cu130
        "torchvision": str(torchvision.__version__),
        "pillow": version("pillow"),
        "safetensors": version("safetensors"),
    }
