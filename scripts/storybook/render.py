"""From a scene to its picture, and to the boxes in which its objects stand."""

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter

from scripts.storybook.artwork import Artwork, draw_svg, svg
from scripts.storybook.places import backdrop
from scripts.storybook.world import KINDS, Scene

# Sizes and places in shares of the picture's side. Things are moved by eighths (or sixteenths),
# which are whole places of a painter's coarse maps: a thing that is moved is painted as before.
SIZES = (0.625, 0.4375)  # of a single thing: large or small
SHIFTS = (0.125, 0.25)  # of the same, to the left or to the right
# Per number of objects: their size, and where each stands (x, and how much further up).
GROUPS = {
    2: (0.4375, ((-0.25, 0.0), (0.25, 0.0))),
    3: (0.3125, ((-0.3125, 0.0), (0.0, -0.0625), (0.3125, 0.0))),
}
GROUND = 0.90625  # where feet stand
AIR = 0.375  # where the middle of what flies is
LIFT = 0.25  # how high what jumps is above the ground, as a share of its size

Box = tuple[float, float, float, float]


class Renderer:
    """Renders scenes with one set of artwork at one size; the same scene, the same pixels."""

    def __init__(self, artwork: Artwork, side: int = 256) -> None:
        self.artwork = artwork
        self.side = side
        self.backdrop = lru_cache(maxsize=None)(self._backdrop)

    def render(self, scene: Scene) -> tuple[Image.Image, list[Box]]:
        """The RGB picture, and each object's left, top, right and bottom in shares of the side."""
        content, layout = scene.content, scene.layout
        picture = self.backdrop(content.place, layout.backdrop).copy()
        size, places = placed(scene)
        things = sorted(zip(places, content.things, strict=True), key=lambda thing: thing[0][1])
        boxes = []
        for (x, y), (kind, colour) in things:  # the further ones first
            sprite = self.artwork.sprite(
                kind,
                layout.style,
                colour,
                round(size * self.side),
                bool(layout.direction),
                bool(content.act),
            )
            boxes.append(self._put(picture, sprite, 0.5 + x, y, KINDS[kind].flies, content.act))
        return picture, boxes

    def _put(
        self, picture: Image.Image, sprite: Image.Image, x: float, y: float, flies: bool, act: str
    ) -> Box:
        """Paste a sprite with its middle at x, standing `y` below the ground line, or flying."""
        left = round(x * self.side - sprite.width / 2)
        left = min(max(left, 0), self.side - sprite.width)
        if flies:
            top = round((AIR + 2 * y) * self.side - sprite.height / 2)
        else:
            foot = round((GROUND + y) * self.side)
            lift = LIFT * max(sprite.size) if act else 0
            top = foot - sprite.height - round(lift)
            self._shadow(picture, left, foot, sprite.width)
        top = min(max(top, 0), self.side - sprite.height)
        picture.paste(sprite, (left, top), sprite)
        edges = (left, top, left + sprite.width, top + sprite.height)
        return tuple(round(edge / self.side, 4) for edge in edges)

    def _backdrop(self, place: str, version: int) -> Image.Image:
        return draw_svg(svg("0 0 100 100", backdrop(place, version)), self.side).convert("RGB")

    def _shadow(self, picture: Image.Image, left: int, foot: int, width: int) -> None:
        height = max(2, round(width * 0.09))
        mask = Image.new("L", picture.size)
        ImageDraw.Draw(mask).ellipse(
            (left, foot - height, left + width, foot + height // 2), fill=90
        )
        mask = mask.filter(ImageFilter.GaussianBlur(height / 4))
        picture.paste((20, 20, 20), mask=mask)


def placed(scene: Scene) -> tuple[float, list[tuple[float, float]]]:
    """The size of a scene's objects, and where each stands: x from the middle, y downwards."""
    content, layout = scene.content, scene.layout
    if content.other:
        size, places = GROUPS[2]
        return size, list(places[::-1] if layout.position == 2 else places)
    if content.count > 1:
        size, places = GROUPS[content.count]
        return size, list(places)
    return SIZES[layout.size], [((layout.position - 1) * SHIFTS[layout.size], 0.0)]
