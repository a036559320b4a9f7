"""The report is light: small copies of pictures, and a first page that says where figures are."""

import base64
import io
from pathlib import Path

from conftest import Game, make_picture
from PIL import Image

from scripts import report


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_large_pictures_become_small_copies(tmp_path: Path):
    grid = make_picture(tmp_path / "grid.png", size=(1200, 1300))
    uri = report.copy(grid)
    assert opened(uri).width == report.WIDTH
    assert len(uri) < grid.stat().st_size / 5
    assert opened(report.copy(make_picture(tmp_path / "strip.png", size=(1600, 400)))).width == 1000


def test_small_ones_and_plots_stay_as_they_are(tmp_path: Path):
    (tmp_path / "drift.svg").write_text("<svg/>" * 20_000)
    assert report.copy(make_picture(tmp_path / "small.png")) is None
    assert report.copy(tmp_path / "drift.svg") is None


def test_a_film_stays_a_film(tmp_path: Path):
    frames = [
        Image.open(make_picture(tmp_path / f"{n}.png", n, (300, 300))).convert("P")
        for n in range(3)
    ]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:], duration=1600)
    copy = opened(report.copy(tmp_path / "film.gif"))
    assert copy.n_frames == 3 and copy.width == report.FRAME


def test_a_report_begins_with_where_figures_are_and_shows_one_round(game: Game):
    targets = [f"results/cow/candidates/round{n}.png" for n in (1, 2)] + ["results/cow/strip.png"]
    game.play(*targets, candidates=4)
    game.play(*targets, "--report", "report.html", candidates=4)
    text = game.path("report.html").read_text()
    assert "in the menu on the left" in text
    assert "candidates/round1.png" in text and '"results/cow/candidates/round2.png"' not in text


def test_a_report_of_what_has_not_been_made_says_what_to_do(game: Game):
    call = game.call("results/cow/strip.png", "--report", "report.html")
    assert call.code == 1
    assert "First give the same command without --report" in call.text
    assert not game.path("report.html").exists()
