"""The rendered world: captions say what is there, and the same seed gives the same scenes."""

import json
import random
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from scripts.errors import UserError
from scripts.storybook import grammar, world
from scripts.storybook.artwork import ICONS, Artwork
from scripts.storybook.dataset import (
    all_of,
    held_out,
    scene_of,
    to_learn_from,
    unseen,
    write,
)
from scripts.storybook.render import Renderer

pytest.importorskip("resvg_py")


def icon_set(path: Path, colour: str) -> Path:
    """A set in iconify's form whose icons are all a disc on a grey and a yellow foot."""
    body = (
        f'<circle cx="8" cy="8" r="7" fill="{colour}"/>'
        '<path d="M2 14h6v2h-6z" fill="#bbb"/><path d="M8 14h6v2h-6z" fill="#fb2"/>'
    )
    icons = {name: {"body": body} for name in ICONS.values()}
    path.write_text(json.dumps({"icons": icons, "width": 16, "height": 16}))
    return path


@pytest.fixture
def artwork(tmp_path: Path) -> list[Path]:
    colours = ("#d03030", "#3050d0", "#30a040")
    pairs = zip(world.STYLES, colours, strict=True)
    return [icon_set(tmp_path / f"{style}.json", colour) for style, colour in pairs]


def first(number: int) -> list[tuple[world.Scene, list[str]]]:
    return [scene_of(3, index) for index in range(number)]


def test_every_caption_says_all_of_its_scene():
    for number in range(3000):
        scene, captions = scene_of(5, number)
        for caption in captions:
            assert grammar.read(caption) == scene.content, caption


def test_unseen_scenes_look_like_none_that_was_trained_on():
    trained = all_of(1, 5000)
    others = {scene.shown() for scene, _ in islice(unseen(2, trained), 60)}
    assert len(others) == 60 and trained.isdisjoint(others)
    # which scenes of another seed need not be
    assert any(scene_of(2, number)[0].shown() in trained for number in range(60))


def test_the_world_is_learnt_from_but_for_what_is_held_out():
    world_of_all = set(world.every())
    drawn = (1, 500)
    others = {scene for scene, _ in held_out(drawn, 2, 100)}
    kept = {scene.shown() for scene in others}
    learnt = {scene.shown() for scene, _ in to_learn_from(drawn, held_out(drawn, 2, 100))}
    assert len(world_of_all) == 17_298 and len(kept) == 100
    assert kept.isdisjoint(learnt) and kept | learnt == world_of_all


def test_scenes_that_are_shown_alike_have_the_same_picture(artwork: list[Path]):
    renderer = Renderer(Artwork(artwork), 64)
    scenes = [scene_of(4, number)[0] for number in range(40)]
    moved = [
        replace(s, layout=replace(s.layout, position=(s.layout.position + 1) % 3)) for s in scenes
    ]
    for scene, other in zip(scenes, moved, strict=True):
        same = renderer.render(scene)[0].tobytes() == renderer.render(other)[0].tobytes()
        assert same == (scene.shown() == other.shown())


def test_captions_of_a_scene_differ():
    assert all(len(set(scene_of(5, number)[1])) == 5 for number in range(200))


def test_every_kind_place_colour_and_count_is_drawn_and_kinds_are_balanced():
    chance = random.Random(1)
    contents = [world.draw(chance).content for _ in range(21_000)]
    kinds = [content.kind for content in contents]
    assert {content.place for content in contents} == set(world.PLACES)
    assert {content.colour for content in contents} == {"", *world.COLOURS}
    assert {content.count for content in contents} == {1, 2, 3}
    assert all(850 < kinds.count(kind) < 1150 for kind in world.KINDS)


def test_what_stands_somewhere_belongs_there():
    for kind in world.KINDS.values():
        settings = grammar.SETTINGS_ABOVE if kind.flies else grammar.SETTINGS
        assert set(kind.places) <= set(settings)


def test_the_same_seed_writes_the_same_dataset(artwork: list[Path], tmp_path: Path):
    for folder in ("one", "other"):
        write(artwork, tmp_path / folder / "captions.jsonl", first(6), side=64)
    one, other = (sorted((tmp_path / name).rglob("*.*")) for name in ("one", "other"))
    assert len(one) == 7
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_boxes_hold_the_objects(artwork: list[Path], tmp_path: Path):
    write(artwork, tmp_path / "captions.jsonl", first(40), side=64)
    for line in (tmp_path / "captions.jsonl").read_text().splitlines():
        record = json.loads(line)
        content = grammar.read(record["captions"][0])
        assert len(record["boxes"]) == content.count
        assert len(record["codes"]) == len(world.LAYOUT)
        picture = Image.open(tmp_path / record["picture"])
        assert picture.size == (64, 64)
        for left, top, right, bottom in record["boxes"]:
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1


def test_the_figures_take_their_place_in_the_card(tmp_path):
    from scripts.storybook import card

    figures, page = tmp_path / "figures.tsv", tmp_path / "README.md"
    figures.write_text(
        "who\tnumber\twhat\tfigure\n"
        "captions\t2000\tkind\t0.9860\ncaptions\t2000\tcount\t1.0000\npainted\t50\tkind\t0.5\n"
        "painted\t50\tcount\t0.9996\n"
    )
    page.write_text(f"# Card\n{card.BEGIN}old\n{card.END}rest\n")
    for _ in range(2):  # the second time changes nothing
        card.write(figures, page)
        text = page.read_text()
        assert text.startswith("# Card\n") and text.endswith(f"{card.END}rest\n")
        assert "| captions | 2,000 | 98.6 | 100.0 |\n| painted | 50 | 50.0 | 99.9 |\n" in text
        assert "old" not in text and card.COMMAND in text
    page.write_text("# Card\n")
    with pytest.raises(UserError, match=r"README\.md: it has no place"):
        card.write(figures, page)
