"""A contact sheet: every kind in its styles, colours and places, to look at."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw

from scripts.figures.typography import font
from scripts.files import written
from scripts.storybook.artwork import Artwork
from scripts.storybook.render import Renderer
from scripts.storybook.world import JUMPING, KINDS, LAYOUT, Content, Kind, Layout, Scene

SHOWN = 9  # scenes of each kind
SIDE = 128  # pixels of a scene
LABEL = 20  # pixels above each row of scenes


def scenes_of(kind: Kind) -> list[Scene]:
    """Scenes in which each style, colour, place, number and pose of a kind occurs."""
    colours = kind.colours or ("",)
    return [
        Scene(
            Content(
                kind.name,
                colours[index % len(colours)],
                kind.places[index % len(kind.places)],
                1 + index // 3 % kind.most,
                JUMPING if kind.jumps and index % 2 else "",
            ),
            Layout(
                *((index + index // 3 * turn) % ways for turn, ways in enumerate(LAYOUT.values()))
            ),
        )
        for index in range(SHOWN)
    ]


def draw(artwork: Iterable[Path | str], sheet: Path | str) -> None:
    """Write the sheet as a PNG; `artwork` are the icon sets."""
    renderer = Renderer(Artwork(artwork), SIDE)
    rows = -(-len(KINDS) // 2)
    height = SIDE + LABEL
    page = Image.new("RGB", ((2 * SHOWN + 1) * SIDE - SIDE // 2, rows * height), "white")
    pen = ImageDraw.Draw(page)
    for number, kind in enumerate(KINDS.values()):
        left = number % 2 * (SHOWN * SIDE + SIDE // 2)
        top = number // 2 * height
        pen.text((left + 2, top + 2), kind.name, fill="black", font=font(13))
        for index, scene in enumerate(scenes_of(kind)):
            picture, _ = renderer.render(scene)
            page.paste(picture, (left + index * SIDE, top + LABEL))
    with written(sheet) as part:
        page.save(part, format="PNG", optimize=True)
