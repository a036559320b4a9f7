"""A job that fails costs nobody what stood before it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Game, make_bundle
from test_errors import explained

from scripts.errors import UserError
from scripts.files import written_folder

FIGURES = ["results/cow/candidates/round1.png", "results/cow/film.gif"]


def test_weights_that_are_damaged_cost_no_picture(new_game: Callable[[], Game]):
    game = new_game()
    game.play("all", *FIGURES)
    before = game.times()
    path = game.path("models/tiny/generator.safetensors")
    weights = path.read_bytes()
    path.write_bytes(b"damaged")
    said = explained(game.call("all", *FIGURES))
    assert "generator.safetensors: these are no weights" in said
    after = game.times()
    assert all(after[name] == before[name] for name in before if "index" not in name)
    explained(game.call("all", *FIGURES))  # what is stale stays stale
    make_bundle(game.path("models/other"), seed=5)
    shutil.copy(game.path("models/other/generator.safetensors"), path)
    old = game.contents()
    game.play("all", *FIGURES)
    assert game.call("all", *FIGURES).nothing
    assert game.contents()["cow/round1.png"] != old["cow/round1.png"]
    path.write_bytes(weights)
    game.play("all", *FIGURES)
    again = game.contents()
    assert {name: again[name] for name in old if "index" not in name} == {
        name: content for name, content in old.items() if "index" not in name
    }


def test_settings_of_a_failed_job_are_not_those_of_what_stands(new_game: Callable[[], Game]):
    game = new_game()
    game.play(FIGURES[0], candidates=2)
    before = game.contents()
    weights = game.path("models/tiny/text_encoder.safetensors")
    good, times = weights.read_bytes(), weights.stat()
    weights.write_bytes(b"damaged")
    explained(game.call(FIGURES[0], candidates=5))
    assert game.contents() == before
    weights.write_bytes(good)

    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert game.call(FIGURES[0], candidates=2).nothing
    game.play(FIGURES[0], candidates=5)
    assert game.contents()["cow/candidates/round1.png"] != before["cow/candidates/round1.png"]


def test_a_folder_is_replaced_when_it_is_full(tmp_path: Path):
    for name in ("one", "two"):
        with written_folder(tmp_path / "published") as part:
            (part / name).touch()
    with pytest.raises(UserError), written_folder(tmp_path / "published") as part:
        (part / "three").touch()
        raise OSError(28, "No space left on device")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.glob("**/*")] == [
        "published",
        "published/two",
    ]
