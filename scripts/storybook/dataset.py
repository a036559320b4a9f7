"""Writes scenes as a dataset in the plain form that the trainers read (see docs/training.md)."""

import json
import random
from pathlib import Path

from scripts.storybook.artwork import Artwork
from scripts.storybook.grammar import captions
from scripts.storybook.render import Renderer
from scripts.storybook.world import KINDS, LAYOUT, Scene, draw


def scene_of(seed: int, number: int) -> tuple[Scene, list[str]]:
    """Scene `number` of a seed and its five captions; the same wherever and whenever asked."""
    chance = random.Random(f"storybook/{seed}/{number}")
    scene = draw(chance)
    return scene, captions(scene.content, KINDS[scene.content.kind].flies, chance)


def write(artwork: Path, folder: Path, seed: int, number: int, side: int) -> None:
    """`number` scenes as `pictures/*.png` of `side` pixels and `captions.jsonl`.

    Beside its captions, each record has the layout as `codes` (the known noise) and the objects'
    `boxes`; a trainer may use both, and a dataset of photographs has neither.
    """
    renderer = Renderer(Artwork(artwork), side)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    with (folder / "captions.jsonl").open("w", encoding="utf-8") as records:
        for index in range(number):
            scene, told = scene_of(seed, index)
            picture, boxes = renderer.render(scene)
            name = f"pictures/{index:06}.png"
            picture.save(folder / name, compress_level=1)
            codes = scene.layout.codes()
            record = {"picture": name, "captions": told, "codes": codes, "boxes": boxes}
            records.write(json.dumps(record) + "\n")


def code_groups() -> list[int]:
    """How many values each entry of `codes` can have, as GeneratorConfig.codes wants it."""
    return list(LAYOUT.values())
