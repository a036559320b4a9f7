"""The strip: everything is in it, and legible."""

from pathlib import Path

import numpy as np
import pytest
from conftest import make_picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scripts.figures import strip
from scripts.figures.typography import CAPTION, GAP, even_rows, font, wrap

LONG = "a large brown cow and two small white birds are standing in a field of grass and flowers"


def ink(image: Image.Image) -> np.ndarray:
    """Where something is written: (height, width), bool."""
    return np.asarray(image.convert("L")) < 200


@given(st.text(st.characters(exclude_categories=["C"]), max_size=200), st.integers(20, 300))
def test_no_letter_is_lost_when_text_is_wrapped(text: str, width: int):
    lines = wrap(text, width, 19)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(font(19).getlength(line) <= width or len(line) == 1 for line in lines)


def test_base_and_rounds_stand_side_by_side(tmp_path: Path):
    base = make_picture(tmp_path / "cow.png", size=(32, 32))
    pictures = [make_picture(tmp_path / f"round{n}.png", n, (64, 64)) for n in (1, 2, 3)]
    texts = [tmp_path / f"round{n}.txt" for n in (1, 2, 3)]
    for text in texts:
        text.write_text("a cow\n")
    strip.draw(base, pictures, texts, tmp_path / "strip.png")
    image = Image.open(tmp_path / "strip.png")
    assert image.width == 4 * (strip.SIDE + GAP) + GAP
    for place, picture in enumerate([base, *pictures]):
        left = GAP + place * (strip.SIDE + GAP)
        panel = image.crop((left, GAP, left + strip.SIDE, GAP + strip.SIDE))
        shrunk = np.asarray(panel.resize(Image.open(picture).size, Image.Resampling.BOX), int)
        assert abs(shrunk - np.asarray(Image.open(picture), int)).max() <= 1


def test_a_long_caption_is_neither_cut_nor_in_its_neighbours_place():
    panel = Image.new("RGB", (256, 256), "white")
    image = strip.compose([panel] * 3, ["", LONG, ""])
    written = ink(image)
    written[:, 272 + GAP : 272 + GAP + 256] = False
    written[: 256 + GAP + 8 + 22] = False  # the labels
    assert not written.any()
    assert not ink(image)[-GAP // 2 :].any()
    lines = wrap(LONG, 256, CAPTION)
    assert " ".join(lines) == LONG


def test_many_rounds_stand_in_even_rows():
    panels = [Image.new("RGB", (256, 256), (0, 0, 10 * number)) for number in range(21)]
    image = strip.compose(panels, ["", *["a cow"] * 20])
    step = strip.SIDE + GAP
    assert image.width == 6 * step + GAP
    assert image.height % 4 == 0
    for number in range(21):
        left, top = GAP + number % 6 * step, number // 6 * image.height // 4 + GAP
        panel = np.asarray(image.crop((left, top, left + 256, top + 256)))
        assert (panel == (0, 0, 10 * number)).all(), number


@pytest.mark.parametrize(
    ("number", "most", "wanted"), [(1, 8, 1), (8, 8, 8), (9, 8, 5), (21, 8, 7), (17, 8, 6)]
)
def test_rows_are_even(number: int, most: int, wanted: int):
    assert even_rows(number, most) == wanted


def test_letters_beyond_ascii_are_drawn():
    def drawn(letter: str) -> bytes:
        return bytes(font(24).getmask(letter))

    boxes = {drawn("\U000f0000"), drawn(" ")}
    assert len({drawn(letter) for letter in "éßłΩжЩ…"} - boxes) == 7


@pytest.mark.parametrize("words", [1, 30, 300, 2000])
def test_a_base_text_is_shown_whole(words: int):
    text = " ".join(["cows"] * words)
    panel = strip._card(text)
    assert panel.height == strip.SIDE
    frame = ink(panel)[4:-4, 4:-4]
    assert frame.any()
    assert not frame[:4].any() and not frame[-4:].any()
    assert not frame[:, :4].any() and not frame[:, -4:].any()


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 3000), (640, 480)])
def test_pictures_of_any_shape_find_their_place(size: tuple[int, int]):
    panel = strip._fit(Image.new("RGB", size))
    narrowest, widest = strip.BASE_WIDTHS
    assert panel.height == strip.SIDE
    assert narrowest <= panel.width <= widest


def test_the_same_strip_has_the_same_bytes(tmp_path: Path):
    text = tmp_path / "round1.txt"
    text.write_text("a cow\n")
    picture = make_picture(tmp_path / "cow.png")
    for name in ("a.png", "b.png"):
        strip.draw(picture, [picture], [text], tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_words_that_the_painter_does_not_know_are_named(tmp_path: Path):
    picture = make_picture(tmp_path / "round1.png")
    (tmp_path / "round1.txt").write_text("a zebra\n")
    record = tmp_path / "round1.json"
    heights, ochre = [], []
    for unknown in ("[]", '["zebra"]'):
        record.write_text(f'{{"unknown_words": {unknown}}}')
        strip.draw(picture, [picture], [tmp_path / "round1.txt"], tmp_path / "strip.png", [record])
        image = Image.open(tmp_path / "strip.png")
        heights.append(image.height)
        ochre.append((np.asarray(image) == strip.NOTE).all(axis=-1).any())
    assert heights[1] > heights[0]
    assert ochre == [False, True]
