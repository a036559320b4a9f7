"""Writes scenes as a dataset in the plain form that the trainers read (see docs/training.md)."""

import json
import random
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path

from PIL import Image

from scripts.files import written, written_folder
from scripts.storybook.artwork import Artwork
from scripts.storybook.grammar import captions
from scripts.storybook.loose import draw_loose
from scripts.storybook.render import Renderer
from scripts.storybook.world import KINDS, Content, Layout, Scene, draw, draw_content
from scripts.tables import write_rows

Told = tuple[Scene, list[str]]  # a scene and its captions


def scene_of(seed: int, number: int) -> Told:
    """Scene `number` of a seed and its five captions; the same wherever and whenever asked."""
    chance = random.Random(f"storybook/{seed}/{number}")
    return tell(draw(chance), chance)


def tell(scene: Scene, chance: random.Random) -> Told:
    """The scene, and what five people may say of it."""
    return scene, captions(scene.content, KINDS[scene.content.kind].flies, chance)


def all_of(seed: int, number: int) -> set[Scene]:
    """What the first scenes of a seed show; fewer than `number`, where some come twice."""
    return {scene_of(seed, index)[0].shown() for index in range(number)}


def unseen(seed: int, seen: set[Scene]) -> Iterator[Told]:
    """Scenes of a seed with their captions, one of each, none of them among those seen.

    (In a world of few choices, another seed alone makes no other scenes.)
    """
    before: set[Scene] = set()
    for number in count():
        scene, told = scene_of(seed, number)
        shown = scene.shown()
        if shown not in seen and shown not in before:
            before.add(shown)
            yield scene, told


def held_out(drawn: tuple[int, int], seed: int, number: int) -> list[Told]:
    """The first `number` scenes of a seed that look like none of those drawn (seed, number)."""
    return list(islice(unseen(seed, all_of(*drawn)), number))


def to_learn_from(drawn: tuple[int, int]) -> Iterator[Told]:
    """The scenes drawn (seed, number)."""
    return (scene_of(drawn[0], index) for index in range(drawn[1]))


def loose_scene_of(seed: int, number: int) -> tuple[Content, list[str], random.Random]:
    """Content of loose scene `number` of a seed, its five captions, and the chance to draw it."""
    chance = random.Random(f"storybook/loose/{seed}/{number}")
    content = draw_content(chance)
    return content, captions(content, KINDS[content.kind].flies, chance), chance


def write(artwork: list[str], records: Path | str, scenes: Iterable[Told], side: int) -> None:
    """Render scenes: `records` is the folder's captions.jsonl, beside it `pictures/*.png`.

    Beside its captions, each record has a `weight`, the layout as `codes` (the known noise) and the
    objects' `boxes`; a trainer may use them, and a dataset of photographs has none. `artwork` are
    the icon sets, pictures are `side` pixels square.
    """
    renderer = Renderer(Artwork(artwork), side)

    def render(drawn: Told) -> tuple[Image.Image, dict]:
        scene, told = drawn
        picture, boxes = renderer.render(scene)
        weight = max(KINDS[kind].weight for kind, _ in scene.content.things)
        codes = scene.layout.codes()
        return picture, {"captions": told, "weight": weight, "codes": codes, "boxes": boxes}

    write_pictures(records, map(render, scenes))


def write_loose(
    artwork: list[str],
    records: Path | str,
    seed: int,
    number: int,
    styles: tuple[str, ...],
    side: int,
) -> None:
    """Draw scenes that are laid out freely, in some styles, as `write` does; no codes, no boxes."""
    sets = Artwork(artwork)
    backdrops = Renderer(sets, side)

    def render(index: int) -> tuple[Image.Image, dict]:
        content, told, chance = loose_scene_of(seed, index)
        picture = draw_loose(sets, backdrops, content, styles, chance)
        return picture, {"captions": told}

    drawable = (
        index
        for index in count()
        if all(sets.styles_of(kind, styles) for kind, _ in loose_scene_of(seed, index)[0].things)
    )
    write_pictures(records, map(render, islice(drawable, number)))


def write_pictures(records: Path | str, drawn: Iterable[tuple[Image.Image, dict]]) -> None:
    """Write pictures beside the list of their records, `records`, which gets their paths."""
    folder = Path(records).parent
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    with written(records) as part, part.open("w", encoding="utf-8") as lines:
        for index, (picture, record) in enumerate(drawn):
            name = f"pictures/{index:06}.png"
            picture.save(folder / name, compress_level=1)
            lines.write(json.dumps({"picture": name, **record}) + "\n")


# The scenes that a game begins with, named after the figures of the original game.
BASES = {
    "cow": Scene(Content("cow", "brown", "field", 2), Layout(0, 1, 0, 0, 0)),
    "bear": Scene(Content("bear", "brown", "forest", 1), Layout(0, 1, 1, 0, 1)),
    "kite": Scene(Content("kite", "red", "beach", 2), Layout(1, 1, 0, 0, 0)),
    "baseball": Scene(Content("batter", "blue", "ballpark", 1), Layout(2, 1, 0, 0, 0)),
    "room": Scene(Content("couch", "blue", "room", 1), Layout(0, 1, 0, 0, 0)),
    "surf": Scene(Content("surfer", "", "ocean", 1), Layout(0, 1, 0, 0, 0)),
}


# Base pictures that nothing was trained on: drawn by other artists, laid out freely. Each with the
# styles that it is drawn in, and a number that decides how.
FOREIGN_BASES = {
    "duck": (Content("duck", "", "beach", 1), ("noto-v1",), 3),
    "pair": (Content("horse", "brown", "beach", 1, "", "bicycle", "red"), ("fxemoji",), 4),
}


def write_bases(artwork: list[str], folder: Path | str, side: int = 256) -> None:
    """The base pictures that come with the game, as `<name>.png` in a folder."""
    sets = Artwork(artwork)
    renderer = Renderer(sets, side)
    with written_folder(folder) as part:
        for name, scene in BASES.items():
            picture, _ = renderer.render(scene)
            picture.save(part / f"{name}.png", format="PNG", optimize=True)
        for name, (content, styles, number) in FOREIGN_BASES.items():
            picture = draw_loose(sets, renderer, content, styles, random.Random(f"{name}/{number}"))
            picture.save(part / f"{name}.png", format="PNG", optimize=True)


def write_study(
    artwork: list[str],
    pictures: list[str],
    texts: list[str],
    truth: str,
    seed: int,
    trained: tuple[int, int],
) -> None:
    """Base pictures of scenes of a seed, and base texts: what is told of the scenes after them.

    What is in the pictures is told in the table `truth`. Scenes that are among the `trained` ones
    (a seed, and how many) are passed over.
    """
    renderer = Renderer(Artwork(artwork), 256)
    others = unseen(seed, all_of(*trained))
    known = []
    for path in pictures:
        scene, told = next(others)
        picture, _ = renderer.render(scene)
        with written(path) as part:
            picture.save(part, format="PNG", optimize=True)
        known.append({"image": Path(path).stem, "caption": told[0]})
    for path in texts:
        told = next(others)[1]
        with written(path) as part:
            part.write_text(told[0] + "\n", encoding="utf-8")
    write_rows(known, truth)
