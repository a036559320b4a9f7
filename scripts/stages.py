"""The two stages of a round: caption (a picture becomes a sentence) and generate (the reverse).

Files in, files out; each output is written whole or not at all. torch is imported by the first
stage that runs, so that whoever only plans a game need not wait for it.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from scripts.bundles import GAME, Bundle
from scripts.chains import TEXT, Chain
from scripts.errors import UserError
from scripts.files import written
from scripts.untrusted import open_picture, read_text
from scripts.words import encode, tokenize

if TYPE_CHECKING:
    from torch import Tensor

    from scripts.attngan.generator import Painting

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
        said = describe(open_picture(source), bundle, device, threads, beam)
        if not said[0][0]:
            raise UserError(f"{source}: the bundle {bundle.name} says nothing about this picture.")
        found["caption"], found["log_probability"] = said[0]
        found["beam"] = beam
        found["others"] = [
            {"caption": other, "log_probability": score} for other, score in said[1:]
        ]
        found["bundle"] = {"name": bundle.name, "files": bundle.digests("captioner")}
    with written(record) as part:
        _write_json(part, found)
    with written(text) as part:
        part.write_bytes(f"{found['caption']}\n".encode())


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
        raise UserError(_damaged(bundle, "captioner"))
    return [(_sentence(bundle.words["captioner"].spell(ids)), score) for ids, score in said]


def _damaged(bundle: Bundle, part: str) -> str:
    """The message for weights that are numbers, but compute what is none."""
    return f"{bundle.weights(part)}: what it computes is not a number; these weights are damaged."


def _sentence(words: list[str]) -> str:
    return " ".join(word for word in words if word not in SPECIAL)


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
    with written(record) as part:
        _write_json(part, made)
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
            raise UserError(_damaged(bundle, "generator"))
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


def choose_device(name: str) -> str:
    """The device to compute on: `auto` is the first graphics card, or the CPU.

    Raises UserError if the device is not there.
    """
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if cards else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = name.partition(":")
    there = {"cpu": True, "cuda": int(number or 0) < cards}.get(kind)
    if there is None:
        there = torch.backends.mps.is_available()
    if not there:
        raise UserError(f"config: this machine has no device {name}; set device to auto or cpu.")
    return name


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


def _how_sure(said: Path | str | None) -> dict[str, Any] | None:
    """How a caption was decoded, and its log probability; None of a text that nobody said."""
    if said is None:
        return None
    found = json.loads(Path(said).read_text(encoding="utf-8"))
    if "beam" not in found:
        return None
    return {key: found[key] for key in ("beam", "log_probability")}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


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
