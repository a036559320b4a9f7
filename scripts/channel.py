"""What is between the rounds: a channel that loses something on the way, and sampled captions.

Without a channel a loop of good players may hardly drift, and does not tell what it would lose
first. Each kind of disturbance has a level. From round 2 on, the captioner sees the picture of the
round before through those of pictures, and its caption reaches the painter through those of texts;
the base and what is said of it first arrive as they are, so that all levels begin alike.

All chance is drawn from a generator of its own for each seed, image, round and kind, from the
digest of "<seed>/<image>/<round>/<kind>", as the noise of pictures is (scripts/noise.py).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter

from scripts.errors import UserError

if TYPE_CHECKING:
    from torch import Generator

GREY = (127, 127, 127)
REPEAT = "repeat"


@dataclass(frozen=True)
class Kind:
    """A kind of disturbance: which levels it may have, and which of them is the least."""

    about: str
    lowest: float
    highest: float
    whole: bool = False
    texts: bool = False  # or pictures
    falling: bool = False  # the smaller the level, the more is lost


KINDS = {
    "drop": Kind("the chance of a word to be lost", 0, 1, texts=True),
    "words": Kind("how many words get through, the first ones", 1, 100, True, True, True),
    "occlude": Kind("the share of the picture beneath a grey square", 0, 1),
    "blur": Kind("the deviation of a Gaussian blur, in pixels", 0, 100),
    "noise": Kind("the deviation of Gaussian noise, black to white being 1", 0, 10),
    "jpeg": Kind("the quality of a JPEG file", 1, 95, True, falling=True),
}


SAMPLING = {
    "temperature": Kind("what the logarithms of the words' chances are divided by", 0.01, 100),
    "top_p": Kind("the share of all chances that the words to choose from have", 0.01, 1),
}


@dataclass(frozen=True)
class Disturbance:
    """One kind of disturbance at one level, written `blur-2`."""

    kind: str
    level: float

    def __str__(self) -> str:
        return f"{self.kind}-{self.level:g}"


@dataclass(frozen=True)
class Passage:
    """What is between the players of a chain: a channel, and how captions are chosen.

    A temperature of 0 says the likeliest words. `repeat` gives the painter the first caption again
    and again, so that nothing is between its pictures but new noise.
    """

    channel: tuple[Disturbance, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    repeat: bool = False

    @classmethod
    def read(cls, written: Sequence[str], where: str) -> Passage:
        """The passage that is written as [blur-2, temperature-0.7].

        Raises UserError, beginning with `where`, if it is none, or not the one way to write it.
        """
        channel, sampling = [], {}
        for one in written:
            kind, _, level = one.partition("-")
            if one == REPEAT:
                sampling[REPEAT] = True
            elif kind in SAMPLING:
                if kind in sampling:
                    raise UserError(f"{where}: {kind} is there twice.")
                sampling[kind] = _level(one, SAMPLING[kind], where)
            else:
                channel.append(Disturbance(kind, _level(one, KINDS.get(kind), where)))
                if [other.kind for other in channel].count(kind) > 1:
                    raise UserError(f"{where}: {kind} is there twice.")
        if "top_p" in sampling and not sampling.get("temperature"):
            raise UserError(f"{where}: top_p needs a temperature, as temperature-1~top_p-0.9.")
        return cls(tuple(channel), **sampling)

    @property
    def told(self) -> dict[str, object]:
        """What of it differs from passing on what is said and painted as it is."""
        found: dict[str, object] = {}
        if self.channel:
            found["channel"] = [str(one) for one in self.channel]
        if self.temperature:
            found |= {"temperature": self.temperature, "top_p": self.top_p}
        if self.repeat:
            found[REPEAT] = True
        return found


def _level(written: str, kind: Kind | None, where: str) -> float:
    """The level of `blur-2`."""
    name, _, level = written.partition("-")
    if kind is None or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", level):
        known = ", ".join([*KINDS, *SAMPLING])
        raise UserError(
            f"{where}: {written!r} is nothing that can be between the rounds; write a kind and a"
            f" level, as blur-2, or {REPEAT}. Kinds: {known}."
        )
    number = float(level)
    if not kind.lowest <= number <= kind.highest or (kind.whole and number != int(number)):
        sort = "a whole number" if kind.whole else "a number"
        raise UserError(
            f"{where}: the level of {name} is {kind.about}: {sort} from {kind.lowest:g} to"
            f" {kind.highest:g}."
        )
    if f"{number:g}" != level:
        raise UserError(f"{where}: write {name}-{number:g} for {written}.")
    return number


def chance_of(seed: int, image: str, round_: int, kind: str) -> Generator:
    """Where the chance of one kind of disturbance in one round comes from."""
    from scripts import noise

    return noise.generator(seed, image, round_, kind)


Chance = Callable[[str], "Generator"]  # by kind


def picture_through(
    picture: Image.Image, channel: Sequence[Disturbance], chance: Chance
) -> Image.Image:
    """An RGB picture after the channel's disturbances of pictures, in their order."""
    for one in channel:
        if not KINDS[one.kind].texts:
            picture = PICTURES[one.kind](picture, one.level, chance)
    return picture


def text_through(caption: str, channel: Sequence[Disturbance], chance: Chance) -> str:
    """A caption after the channel's disturbances of texts, in their order; a word always stays."""
    for one in channel:
        if KINDS[one.kind].texts:
            caption = TEXTS[one.kind](caption, one.level, chance)
    return caption


def _drop(caption: str, level: float, chance: Chance) -> str:
    import torch

    words = caption.split()
    drawn = torch.rand(len(words), generator=chance("drop")).tolist()
    kept = [word for word, draw in zip(words, drawn, strict=True) if draw >= level]
    return " ".join(kept or [words[drawn.index(max(drawn))]])


def _limit(caption: str, level: float, chance: Chance) -> str:
    return " ".join(caption.split()[: int(level)])


def _occlude(picture: Image.Image, level: float, chance: Chance) -> Image.Image:
    import torch

    width, height = picture.size
    part = level**0.5
    sides = round(width * part), round(height * part)
    at = torch.rand(2, generator=chance("occlude")).tolist()
    corner = [
        round(draw * (all_ - side))
        for draw, all_, side in zip(at, picture.size, sides, strict=True)
    ]
    covered = picture.copy()
    if all(sides):
        covered.paste(GREY, (*corner, corner[0] + sides[0], corner[1] + sides[1]))
    return covered


def _blur(picture: Image.Image, level: float, chance: Chance) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(level)) if level else picture


def _noise(picture: Image.Image, level: float, chance: Chance) -> Image.Image:
    import numpy as np
    import torch

    pixels = torch.from_numpy(np.array(picture)).float()  # (H, W, 3)
    drawn = torch.randn(pixels.shape, generator=chance("noise"))
    noisy = (pixels + 255 * level * drawn).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(noisy.numpy())


def _jpeg(picture: Image.Image, level: float, chance: Chance) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(level))
    return Image.open(file).convert("RGB")


TEXTS = {"drop": _drop, "words": _limit}
PICTURES = {"occlude": _occlude, "blur": _blur, "noise": _noise, "jpeg": _jpeg}
