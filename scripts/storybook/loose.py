"""Scenes laid out freely, for the captioner: any place and size, overlaps, crops, more styles.

What a caption says is that of the painter's world (see world.py); where things stand, how large
they are, in whose style each is drawn and before what, is drawn from continuous ranges.
"""

import random

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

from scripts.storybook.artwork import Artwork
from scripts.storybook.render import GROUND, Renderer
from scripts.storybook.world import KINDS, LAYOUT, Content

MIXED = 0.25  # share of scenes whose things are drawn in different styles
OUTLINED = 0.2  # share of things that get a dark outline, as many artists draw
OTHER_ICON = 0.5  # share of things that are drawn by another icon of their kind, where there is one
# Share of scenes before two colours that tell no place: what is there must be seen by itself, and
# the place that captions name be guessed by it.
ABSTRACT = 0.2
BARE = 0.35  # share of scenes before a sky and a ground with nothing on them

# Sizes from … to … of one, two, three things, as shares of the picture's side.
SIZES = {1: (0.3, 0.95), 2: (0.26, 0.52), 3: (0.2, 0.36)}

# What bare backdrops are painted in: the upper part, the lower part; None: one colour throughout.
Colour = tuple[int, int, int]
BARE_COLOURS: dict[str, tuple[Colour, Colour | None]] = {
    "field": ((150, 205, 240), (110, 170, 80)),
    "forest": ((120, 165, 120), (80, 110, 60)),
    "snow": ((185, 210, 235), (240, 244, 250)),
    "beach": ((90, 180, 230), (235, 210, 150)),
    "desert": ((245, 205, 130), (220, 165, 95)),
    "street": ((175, 185, 195), (95, 98, 104)),
    "ocean": ((140, 205, 240), (40, 105, 160)),
    "room": ((230, 215, 195), (165, 120, 80)),
    "sky": ((110, 175, 230), None),
    "ballpark": ((130, 165, 200), (165, 140, 80)),
    "table": ((222, 214, 200), (150, 105, 62)),
}


def draw_loose(
    artwork: Artwork,
    backdrops: Renderer,
    content: Content,
    styles: tuple[str, ...],
    chance: random.Random,
) -> Image.Image:
    """An RGB picture of the content; its size is that of `backdrops`."""
    picture = _backdrop(backdrops, content.place, chance)
    things = content.things
    size = chance.uniform(*SIZES[len(things)])
    style = chance.choice(styles)
    places = _places(len(things), size, chance)
    chance.shuffle(places)
    for (x, y), (kind, colour) in sorted(zip(places, things, strict=True)):
        having = artwork.styles_of(kind, styles)
        own = chance.choice(having) if style not in having or chance.random() < MIXED else style
        first, *others = artwork.icons_of(kind, own)
        icon = chance.choice(others) if others and chance.random() < OTHER_ICON else first
        sprite = artwork.whole(kind, own, colour, icon)
        if not colour:
            sprite = _other_hue(sprite, chance)
        if chance.random() < OUTLINED:
            sprite = _outlined(sprite, chance)
        sprite = _varied(sprite, size * chance.uniform(0.85, 1.15) * picture.width, content, chance)
        _put(picture, sprite, x, y, KINDS[kind].flies, chance)
    return picture


def _places(number: int, size: float, chance: random.Random) -> list[tuple[float, float]]:
    """Middles of things side by side, which may overlap by a quarter and leave the frame a bit."""
    if number == 1:
        reach = max(0.05, 0.55 - size / 2)
        return [(0.5 + chance.uniform(-reach, reach), chance.uniform(-0.14, 0.05))]
    step = max(size * chance.uniform(0.75, 1.1), 0.9 / number * chance.uniform(0.7, 1))
    left = 0.5 - step * (number - 1) / 2 + chance.uniform(-0.06, 0.06)
    return [(left + step * index, chance.uniform(-0.12, 0.05)) for index in range(number)]


def _varied(
    sprite: Image.Image, side: float, content: Content, chance: random.Random
) -> Image.Image:
    """The sprite at a size, turned a little, mirrored or not, in other light."""
    scale = side / max(sprite.size)
    stretch = chance.uniform(0.85, 1.18)
    size = (max(4, round(sprite.width * scale * stretch)), max(4, round(sprite.height * scale)))
    sprite = sprite.resize(size, Image.Resampling.LANCZOS)
    angle = -24 if content.act else 0
    sprite = sprite.rotate(angle + chance.gauss(0, 4), Image.Resampling.BICUBIC, expand=True)
    if chance.random() < 0.5:
        sprite = sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    alpha = sprite.getchannel("A")
    seen = ImageEnhance.Color(sprite.convert("RGB")).enhance(chance.uniform(0.75, 1.2))
    seen = ImageEnhance.Brightness(seen).enhance(chance.uniform(0.85, 1.12))
    seen = ImageEnhance.Contrast(seen).enhance(chance.uniform(0.85, 1.12))
    seen.putalpha(alpha)
    return seen


def _other_hue(sprite: Image.Image, chance: random.Random) -> Image.Image:
    """The sprite in hues near its own: no caption tells the colour of what has its natural one."""
    turn = round(chance.gauss(0, 0.03) * 256)
    hue, vivid, bright = sprite.convert("RGB").convert("HSV").split()
    hue = Image.fromarray(np.asarray(hue) + np.uint8(turn % 256))  # hues are a circle of 256
    turned = Image.merge("HSV", (hue, vivid, bright)).convert("RGB")
    turned.putalpha(sprite.getchannel("A"))
    return turned


def _outlined(sprite: Image.Image, chance: random.Random) -> Image.Image:
    """The sprite with a dark line around it."""
    wide = chance.choice((2, 4, 6))
    room = Image.new("RGBA", (sprite.width + 2 * wide, sprite.height + 2 * wide))
    room.paste(sprite, (wide, wide))
    alpha = room.getchannel("A")
    line = ImageChops.subtract(alpha.filter(ImageFilter.MaxFilter(2 * wide + 1)), alpha)
    ink = Image.new("RGBA", room.size, (*[chance.randint(0, 70)] * 3, 255))
    ink.putalpha(line)
    return Image.alpha_composite(ink, room)


def _put(
    picture: Image.Image,
    sprite: Image.Image,
    x: float,
    y: float,
    flies: bool,
    chance: random.Random,
) -> None:
    side = picture.width
    left = round(x * side - sprite.width / 2)
    if flies:
        top = round((0.38 + 1.4 * y) * side - sprite.height / 2)
    else:
        top = round((GROUND + y) * side - sprite.height)
        if chance.random() < 0.6:
            high = max(2, round(sprite.width * 0.09))
            foot = top + sprite.height
            shade = Image.new("L", picture.size)
            box = (left, foot - high, left + sprite.width, foot + high // 2)
            ImageDraw.Draw(shade).ellipse(box, fill=chance.randint(40, 110))
            picture.paste((20, 20, 20), mask=shade)
    picture.paste(sprite, (left, max(top, -sprite.height // 5)), sprite)


def _backdrop(backdrops: Renderer, place: str, chance: random.Random) -> Image.Image:
    side = backdrops.side
    if chance.random() < ABSTRACT:
        colours = [tuple(chance.randint(40, 255) for _ in range(3)) for _ in range(2)]
        return _bare(*colours, side, chance)
    if chance.random() < BARE:
        return _bare(*BARE_COLOURS[place], side, chance)
    version = chance.randrange(LAYOUT["backdrop"])
    picture = backdrops.backdrop(place, version)
    if chance.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    part = round(side * chance.uniform(0.65, 1))
    corner = chance.randint(0, side - part), chance.randint(0, side - part)
    box = (*corner, corner[0] + part, corner[1] + part)
    picture = picture.resize((side, side), Image.Resampling.BILINEAR, box=box)
    picture = ImageEnhance.Color(picture).enhance(chance.uniform(0.7, 1.2))
    return ImageEnhance.Brightness(picture).enhance(chance.uniform(0.85, 1.12))


def _bare(upper: Colour, lower: Colour | None, side: int, chance: random.Random) -> Image.Image:
    """A sky and a ground, or a wall and a floor, in colours near these; None: no ground."""
    shade = [_near(colour, chance) for colour in (upper, upper, lower or upper)]
    picture = Image.new("RGB", (1, side))
    horizon = round(side * chance.uniform(0.35, 0.7)) if lower else side
    for y in range(side):
        if y < horizon:
            share = y / horizon
            a, b = shade[0], shade[1]
            picture.putpixel(
                (0, y), tuple(round(p + (q - p) * share) for p, q in zip(a, b, strict=True))
            )
        else:
            picture.putpixel((0, y), shade[2])
    return picture.resize((side, side))


def _near(colour: Colour, chance: random.Random) -> Colour:
    light = chance.uniform(-28, 28)
    return tuple(min(255, max(0, round(part + light + chance.gauss(0, 12)))) for part in colour)
