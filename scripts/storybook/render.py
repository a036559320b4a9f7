"""From a scene to its picture, and to the boxes in which its objects stand."""

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter

from scripts.storybook.artwork import Artwork, draw_svg, svg
from scripts.storybook.places import backdrop
from scripts.storybook.world import KINDS, Scene

# Per number of objects: their size, and where each stands (x, and how much further up), all as
# shares of the picture's side.
GROUPS = {
    1: (0.60, ((0.0, 0.0),)),
    2: (0.44, ((-0.24, -0.03), (0.24, 0.03))),
    3: (0.35, ((-0.31, 0.02), (0.0, -0.08), (0.31, 0.04))),
}
GROUND = 0.92  # where feet stand
AIR = 0.38  # where the middle of what flies is
LIFT = 0.3  # how high what jumps is above the ground, as a share of its size
SHIFT = 0.19  # of a single object, to the left or to the right; groups fill the picture

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
        flies = KINDS[content.kind].flies
        size, places = GROUPS[content.count]
        picture = self.backdrop(content.place, layout.backdrop).copy()
        sprite = self.artwork.sprite(
            content.kind,
            layout.style,
            content.colour,
            round(size * self.side),
            bool(layout.direction),
            bool(content.act),
        )
        lift = LIFT * size if content.act else 0
        boxes = []
        for x, y in sorted(places, key=lambda place: place[1]):  # the further ones first
            middle = 0.5 + x + (layout.position - 1) * (SHIFT if content.count == 1 else 0)
            left = round(middle * self.side - sprite.width / 2)
            left = min(max(left, 0), self.side - sprite.width)
            if flies:
                top = round((AIR + 2 * y) * self.side - sprite.height / 2)
            else:
                foot = round((GROUND + y) * self.side)
                top = foot - sprite.height - round(lift * self.side)
                self._shadow(picture, left, foot, sprite.width)
            top = min(max(top, 0), self.side - sprite.height)
            picture.paste(sprite, (left, top), sprite)
            edges = (left, top, left + sprite.width, top + sprite.height)
            boxes.append(tuple(round(edge / self.side, 4) for edge in edges))
        return picture, boxes

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
