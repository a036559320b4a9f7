"""The rendered world: captions say what is there, and the same seed gives the same scenes."""

import json
import random
from dataclasses import replace
from itertools import islice
from pathlib import Path

import other_layout
import pytest
from PIL import Image

from scripts.errors import UserError
from scripts.storybook import grammar, world
from scripts.storybook.artwork import Artwork
from scripts.storybook.dataset import (
    all_of,
    held_out,
    scene_of,
    to_learn_from,
    unseen,
    write,
    write_loose,
)
from scripts.storybook.render import Renderer

pytest.importorskip("resvg_py")


def icon_set(path: Path, colour: str) -> Path:
    """A set in iconify's form whose icons are all a disc on a grey and a yellow foot."""
    body = (
        f'<circle cx="8" cy="8" r="7" fill="{colour}"/>'
        '<path d="M2 14h6v2h-6z" fill="#bbb"/><path d="M8 14h6v2h-6z" fill="#fb2"/>'
    )
    icons = {name: {"body": body} for name in (kind.icon for kind in world.KINDS.values()) if name}
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


def test_nothing_that_is_held_out_is_learnt_from():
    drawn = (1, 2000)
    others = {scene.shown() for scene, _ in held_out(drawn, 2, 100)}
    learnt = {scene.shown() for scene, _ in to_learn_from(drawn)}
    assert len(others) == 100 and others.isdisjoint(learnt)


def test_scenes_that_are_shown_alike_have_the_same_picture(artwork: list[Path]):
    renderer = Renderer(Artwork(artwork), 64)
    scenes = [scene_of(4, number)[0] for number in range(40)]
    moved = [
        replace(s, layout=replace(s.layout, position=(s.layout.position + 1) % 3)) for s in scenes
    ]
    for scene, other in zip(scenes, moved, strict=True):
        if scene.content.other and scene.content.colour == scene.content.other_colour:
            continue  # all icons of this artwork are alike: no one sees which is which
        same = renderer.render(scene)[0].tobytes() == renderer.render(other)[0].tobytes()
        assert same == (scene.shown() == other.shown())


def test_captions_of_a_scene_differ():
    assert all(len(set(scene_of(5, number)[1])) == 5 for number in range(200))


def test_every_kind_place_colour_and_count_is_drawn_and_kinds_are_balanced():
    chance = random.Random(1)
    contents = [world.draw(chance).content for _ in range(34_000)]
    kinds = [content.kind for content in contents if not content.other]
    assert {content.place for content in contents} == set(world.PLACES)
    assert {content.colour for content in contents} == {"", *world.COLOURS}
    assert {content.count for content in contents} == {1, 2, 3}
    assert len(world.KINDS) >= 30
    assert all(620 < kinds.count(kind) < 880 for kind in world.KINDS)


def test_what_stands_somewhere_belongs_there():
    for kind in world.KINDS.values():
        settings = grammar.SETTINGS_ABOVE if kind.flies else grammar.SETTINGS
        assert set(kind.places) <= set(settings)


def test_two_kinds_are_told_in_either_order_and_read_in_one():
    one = "a dog beside a red car on a city street"
    assert grammar.read(one) == world.Content("dog", "", "street", 1, "", "car", "red")
    other = "on a city street there is a red car beside a dog"
    assert grammar.read(other) == grammar.read(one)
    assert grammar.things_of("a teddy bear and a brown bear") == [
        ("teddy bear", ""),
        ("bear", "brown"),
    ]


def test_two_kinds_stand_beside_each_other(artwork: list[Path]):
    content = world.Content("dog", "", "street", 1, "", "car", "red")
    boxes = []
    for position in (0, 2):
        scene = world.Scene(content, world.Layout(0, position, 0, 0, 0))
        boxes.append(Renderer(Artwork(artwork), 64).render(scene)[1])
    assert all(len(pair) == 2 for pair in boxes)
    (first, second), (turned, other) = boxes
    assert first[2] <= second[0] and other[2] <= turned[0]


def test_loose_scenes_differ_and_are_drawn_again_with_the_same_bytes(artwork, tmp_path: Path):
    for folder in ("one", "other"):
        write_loose(artwork, tmp_path / folder / "captions.jsonl", 3, 12, world.STYLES, 64)
    one, other = (sorted((tmp_path / name).rglob("*.*")) for name in ("one", "other"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    assert len({path.read_bytes() for path in one if path.suffix == ".png"}) == 12
    records = (tmp_path / "one" / "captions.jsonl").read_text().splitlines()
    assert "codes" not in json.loads(records[0])


def test_more_icons_of_a_kind_are_drawn_and_painters_paint_the_first(tmp_path: Path):
    body = '<rect width="16" height="16" fill="{}"/>'
    icons = {"dog": {"body": body.format("#804020")}, "poodle": {"body": body.format("#f0f0f0")}}
    for style in world.STYLES:
        (tmp_path / f"{style}.json").write_text(json.dumps({"icons": icons, "width": 16}))
    artwork = Artwork(sorted(tmp_path.glob("*.json")))
    assert artwork.icons_of("dog", "noto") == ["", "poodle"]
    assert artwork.icons_of("cat", "noto") == []
    assert artwork.whole("dog", "noto", "").getpixel((9, 9))[:3] == (128, 64, 32)
    assert artwork.whole("dog", "noto", "", "poodle").getpixel((9, 9))[:3] == (240, 240, 240)
    assert artwork.sprite("dog", 0, "", 32, False, False).getpixel((9, 9))[:3] == (128, 64, 32)


def test_another_program_lays_the_same_artwork_out(artwork, tmp_path: Path):
    other_layout.write(artwork, tmp_path / "captions.jsonl", 3, 5, world.STYLES, 64)
    for line in (tmp_path / "captions.jsonl").read_text().splitlines():
        record = json.loads(line)
        assert grammar.read(record["captions"][0]).kind in world.KINDS
        assert Image.open(tmp_path / record["picture"]).size == (64, 64)


def test_strangers_drawings_are_in_no_style_that_is_taught():
    assert not set(world.UNSEEN_STYLES) & {*world.STYLES, *world.MORE_STYLES}


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
        assert len(record["boxes"]) == len(content.things)
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
