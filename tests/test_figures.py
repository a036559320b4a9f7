"""Figures of chains, through snakemake: candidates, attention, film, related pictures, report."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Game, make_bundle, make_picture
from PIL import Image

from scripts.figures import attention, candidates, film, related
from scripts.figures.strip import CAPTION, GAP, LEADING

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


def test_words_are_ordered_by_what_they_got_and_none_is_shown_black():
    shares = np.zeros((6, 8, 8), np.float32)
    shares[3], shares[1, :4], shares[5, :2] = 0.5, 0.6, 0.9
    assert attention.most_attended(shares)[:3] == [3, 1, 5]
    picture = np.full((8, 8, 3), 128, np.uint8)
    heated = attention._heated(picture, np.zeros((8, 8)), attention.Normalize(0, 1))
    assert heated.min(axis=(0, 1)).max() > 0.2  # the coldest place is no black square
    words = [*"abcdef"]
    sheet = attention.compose_figure(picture, words, [shares, shares], "a b c d e f")
    titles = [axis.get_title() for part in sheet.subfigs for axis in part.axes]
    for word in words:
        assert titles.count(word) == 2  # the second row of each stage
    assert sum("%" in title for title in titles) == 2 * attention.MOST


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
