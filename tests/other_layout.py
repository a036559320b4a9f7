"""Another way to lay out the storybook's scenes, as a stranger would: flat, plain, anywhere.

It shares the artwork with the storybook and nothing else: no backdrop, no ground line, no shadow,
no sizes. Nothing is ever trained on what it draws; the card tells how well it is read.
"""

import random
from itertools import count, islice
from pathlib import Path

from PIL import Image, ImageDraw

from scripts.storybook.artwork import Artwork
from scripts.storybook.dataset import loose_scene_of, write_pictures

SKIES = ("#9fc5e8", "#cfe2f3", "#ffe5b4", "#d9d2e9", "#b6d7a8", "#f4cccc", "#ffffff", "#b4a7d6")
GROUNDS = ("#6aa84f", "#e6b8af", "#bf9000", "#999999", "#f3f3f3", "#3d85c6", "#b45f06", "#93c47d")


def draw(
    artwork: Artwork, things: list[tuple[str, str]], style: str, side: int, chance: random.Random
) -> Image.Image:
    """An RGB picture of things (kind, colour) side by side, in one style."""
    page = Image.new("RGB", (side, side), chance.choice(SKIES))
    pen = ImageDraw.Draw(page)
    horizon = round(side * chance.uniform(0.4, 0.8))
    pen.rectangle((0, horizon, side, side), fill=chance.choice(GROUNDS))
    for _ in range(chance.randint(0, 4)):  # hills, houses, suns: anything that is no thing
        x, wide = chance.randrange(side), round(side * chance.uniform(0.08, 0.25))
        shape = (x, horizon - wide, x + wide, horizon)
        colour = chance.choice(SKIES + GROUNDS)
        chance.choice((pen.rectangle, pen.ellipse))(shape, fill=colour)
    share = 1 / len(things)
    for index, (kind, colour) in enumerate(things):
        picture = artwork.whole(kind, style, colour)
        width = share * side * chance.uniform(0.55, 0.95)
        scale = min(width / picture.width, 0.8 * side / picture.height)
        picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
        if chance.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        left = round((index + 0.5) * share * side - picture.width / 2)
        top = min(
            round(horizon - picture.height * chance.uniform(0.3, 0.95)), side - picture.height
        )
        page.paste(picture, (left, max(0, top)), picture)
    return page


def write(
    files: list[str],
    records: Path | str,
    seed: int,
    number: int,
    styles: tuple[str, ...],
    side: int,
) -> None:
    """Write scenes of one or two things as a dataset; `files` are the icon sets."""
    artwork = Artwork(files)

    def scenes():
        for index in count():
            content, told, chance = loose_scene_of(seed, index)
            style = chance.choice(styles)
            drawable = all(artwork.styles_of(kind, (style,)) for kind, _ in content.things)
            if content.count == 1 and drawable:
                yield draw(artwork, content.things, style, side, chance), {"captions": told}

    write_pictures(records, islice(scenes(), number))
