"""Figures of chains, through snakemake: candidates, attention, film, related pictures, report."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Game, make_bundle, make_picture
from PIL import Image

from scripts.figures import attention, candidates, film, related
from scripts.figures.typography import CAPTION, GAP, LEADING

EYES = {"backbone": "mobilenet_v3_small", "size": 32, "features": 16, "regions": "8"}


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with two stages, so that one attends, and with an image encoder."""
    folder = tmp_path_factory.mktemp("models") / "seeing"
    return make_bundle(folder, generator={"stages": 2}, image_encoder=EYES)


@pytest.fixture
def show(game: Game, seeing: Path) -> Game:
    shutil.copytree(seeing, game.path("models", "seeing"))
    game.path("config.yaml").write_text("bundle: seeing\nrounds: 2\ncandidates: 5\n")
    return game


def panel(grid: Image.Image, number: int, columns: int, side: int, lines: int = 1) -> np.ndarray:
    top = GAP + lines * round(CAPTION * LEADING) + GAP // 2
    row = side + round(17 * LEADING) + GAP // 2
    left, upper = GAP + number % columns * (side + GAP), top + number // columns * row
    return np.asarray(grid.crop((left, upper, left + side, upper + side)))


def test_candidates_differ_and_the_first_is_the_one_that_is_passed_on(show: Game):
    show.play("results/cow/round1.png")
    before = show.times()
    show.play("results/cow/candidates/round1.png")
    grid = Image.open(show.path("results/cow/candidates/round1.png"))
    painted = np.asarray(Image.open(show.path("results/cow/round1.png")))
    panels = [panel(grid, number, 3, 128) for number in range(5)]
    assert np.array_equal(panels[0], painted)
    assert len({one.tobytes() for one in panels}) == 5
    assert {name: show.times()[name] for name in before} == before
    show.play("results/cow/candidates/round1.png", candidates=7)
    more = Image.open(show.path("results/cow/candidates/round1.png"))
    assert np.array_equal(panel(more, 1, 3, 128), panels[1])


def test_a_grid_numbers_what_it_shows_and_says_its_caption():
    pictures = [Image.new("RGB", (64, 64), (0, 90, 10 * n)) for n in range(16)]
    grid = candidates.compose(pictures, "a cow and a kite")
    assert grid.width == GAP + 4 * (64 + GAP)
    for number in range(16):
        assert (panel(grid, number, 4, 64) == (0, 90, 10 * number)).all()
    caption = np.asarray(grid.crop((0, 0, grid.width, GAP + 20)).convert("L"))
    assert (caption < 100).any()


def test_a_caption_grows_with_its_grid():
    def ink(number: int) -> int:
        grid = candidates.compose([Image.new("RGB", (256, 256), "white")] * number, "a cow")
        rows = (np.asarray(grid.convert("L")) < 100).any(axis=1)[:90]
        return int(rows.sum())

    assert ink(64) > 1.5 * ink(4) > 0


def test_attention_shows_every_stage_that_attends(show: Game):
    show.play("results/cow/attention/round2.png")
    image = Image.open(show.path("results/cow/attention/round2.png")).convert("RGB")
    assert image.width > 1000
    assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 1000


def test_a_bundle_that_does_not_attend_says_so(game: Game):
    call = game.call("results/cow/attention/round1.png")
    assert call.code != 0
    assert "the bundle tiny has one stage only" in call.text
    assert "Traceback" not in call.text
    assert not game.path("results/cow/attention/round1.png").exists()


def test_words_are_ordered_by_what_they_got_and_all_are_shown():
    shares = np.zeros((9, 8, 8), np.float32)
    shares[3], shares[1, :4], shares[5, :2] = 0.5, 0.6, 0.9
    assert attention.most_attended(shares)[:3] == [3, 1, 5]
    picture = Image.new("RGB", (64, 64), (128, 128, 128))
    page = attention.compose(picture, [*"abcdefghi"], [shares, shares], "a b c d e f g h i")
    # The dearest word stands beside the picture, in the one colour of its share.
    large, small = attention.SIDE + GAP, attention.SMALL + GAP
    top = GAP + round(CAPTION * LEADING) + GAP + 2 * attention.LINE + GAP // 2
    heat = np.asarray(page.crop((GAP + large, top, GAP + large + 192, top + 192)))
    assert np.allclose(heat / 255, attention._colours(np.array([0.5]), (0, 0.9)), atol=0.01)
    # Each word has its panel, in rows of five and four: no place of them is white.
    top += attention.SIDE + attention.LINE + GAP // 2
    for number in range(9):
        left = GAP + number % 5 * small
        upper = top + number // 5 * (attention.SMALL + attention.LINE + GAP // 2)
        box = (left, upper, left + attention.SMALL, upper + attention.SMALL)
        assert np.asarray(page.crop(box)).min(axis=2).max() < 200, number
    assert page.height > 2 * (attention.SIDE + 2 * attention.SMALL)  # of both stages


def test_the_heat_has_the_colours_of_its_bar_and_is_nowhere_black():
    picture = Image.new("RGB", (64, 64), (10, 10, 10))
    for share in (0.1, 0.2, 0.4):
        heat = attention.heated(picture, np.full((8, 8), share), (0.1, 0.4))
        colour = attention._colours(np.array([share]), (0.1, 0.4))
        assert np.allclose(np.asarray(heat) / 255, colour, atol=0.01)
        assert colour.max() > 0.3
    # Words that are all attended to alike are no division by zero.
    assert np.asarray(attention.heated(picture, np.full((8, 8), 0.1), (0.1, 0.1))).max() > 0


def test_a_long_caption_fits_its_attention():
    words = ["three", "penguins", "sailboats"] * 7
    shares = np.full((21, 4, 4), 1 / 21, np.float32)
    page = attention.compose(Image.new("RGB", (32, 32)), words, [shares], " ".join(words))
    assert page.width == attention.WIDTH + 2 * GAP
    edge = np.asarray(page.convert("L"))[:, attention.WIDTH + GAP :]
    assert (edge == 255).all()


def test_a_film_shows_base_and_rounds_in_their_order(show: Game):
    show.play("results/cow/film.gif")
    with Image.open(show.path("results/cow/film.gif")) as gif:
        assert gif.n_frames == 3
        shown = []
        for number in range(3):
            gif.seek(number)
            shown.append(gif.convert("RGB"))
            assert gif.info["duration"] == (film.LAST if number == 2 else film.SHOWN)
    painted = Image.open(show.path("results/cow/round2.png"))
    box = (GAP, GAP, GAP + film.SIDE, GAP + film.SIDE)
    last = shown[2].crop(box).resize(painted.size, Image.Resampling.BOX)
    off = np.abs(np.asarray(last, int) - np.asarray(painted, int)).mean()
    assert off < 25  # a GIF has 256 colours


def test_a_text_has_no_picture_in_its_film(show: Game):
    show.path("input", "wish.txt").write_text("a red kite")
    show.play("results/wish/film.gif")
    with Image.open(show.path("results/wish/film.gif")) as gif:
        assert gif.n_frames == 2


def test_related_pictures_are_looked_at_once(show: Game):
    for number in range(4):
        make_picture(show.path("library", f"{number}.png"), number)
    Image.open(show.path("input", "cow.png")).save(show.path("library", "same cow.png"))
    show.play("results/cow/related.png", library="library")
    first = Image.open(show.path("results/cow/related.png"))
    with np.load(show.path("results/library/seeing.npz")) as index:
        before = dict(index)
    assert len(before["names"]) == 5
    make_picture(show.path("library", "new.png"), 9)
    show.play("results/cow/related.png", library="library")
    with np.load(show.path("results/library/seeing.npz")) as index:
        after = dict(index)
    assert len(after["names"]) == 6
    old = [list(after["names"]).index(name) for name in before["names"]]
    assert np.array_equal(after["meaning"][old], before["meaning"])
    assert Image.open(show.path("results/cow/related.png")).size >= first.size


def test_only_new_pictures_are_looked_at(show: Game, monkeypatch: pytest.MonkeyPatch):
    from scripts.bundles import Bundle

    monkeypatch.chdir(show.folder)
    bundle = Bundle.read("seeing")
    pictures = [make_picture(show.path("library", f"{n}.png"), n) for n in range(3)]
    out = show.path("index.npz")
    assert related.index(pictures, out, bundle) == 3
    assert related.index(pictures, out, bundle) == 0
    make_picture(pictures[1], 77)
    assert related.index(pictures, out, bundle) == 1


@pytest.mark.parametrize(
    ("folder", "said"), [("nowhere", "no folder nowhere"), ("empty", "holds no picture")]
)
def test_a_library_without_pictures_is_named(show: Game, folder: str, said: str):
    show.path("empty").mkdir()
    call = show.call("results/cow/related.png", library=folder)
    assert call.code != 0
    assert said in call.text
    assert "Traceback" not in call.text


def test_without_image_encoder_there_are_no_related_pictures(game: Game):
    call = game.call("results/cow/related.png")
    assert call.code != 0
    assert "this bundle has no image_encoder" in call.text
    assert "Traceback" not in call.text


def test_the_report_shows_figures_with_captions_that_teach(show: Game):
    figures = ["results/cow/strip.png", "results/cow/drift.svg", "results/cow/film.gif"]
    show.play(*figures)
    show.play(*figures, "--report", "report.html")
    report = show.path("report.html").read_text()
    assert "Read it as a" in report  # the strip's caption
    assert "What counts is their fall" in report or "what counts is their fall" in report
    assert "Chains" in report
    show.play(*figures, "--report", "report.zip")
    assert show.path("report.zip").stat().st_size > 10_000


def test_every_figure_can_be_asked_for_at_once(new_game: Callable[[], Game], seeing: Path):
    show = new_game()
    shutil.copytree(seeing, show.path("models", "seeing"))
    make_picture(show.path("input", "bear.png"), 5)
    show.path("input", "wish.txt").write_text("a red kite\n")
    show.play("figures", bundle="seeing", rounds=1, candidates=2)
    made = set(show.times())
    for chain in ("cow", "bear", "wish"):
        for figure in ("strip.png", "film.gif", "drift.svg", "candidates/round1.png"):
            assert f"{chain}/{figure}" in made
    assert "cow/related.png" in made and "wish/related.png" not in made
