"""A game of one's own: a picture or a sentence, without naming anything."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Game, make_picture

from scripts import bring
from scripts.errors import UserError


def test_a_picture_is_copied_once(tmp_path: Path):
    dog = make_picture(tmp_path / "My dog@home +1.PNG")
    assert bring.picture(dog, tmp_path / "input") == "My-dog-home-1"
    copy = tmp_path / "input" / "My-dog-home-1.png"
    assert copy.read_bytes() == dog.read_bytes()
    made = copy.stat().st_mtime_ns
    assert bring.picture(dog, tmp_path / "input") == "My-dog-home-1"
    assert bring.picture(copy, tmp_path / "input") == "My-dog-home-1"
    assert copy.stat().st_mtime_ns == made


def test_another_picture_of_the_same_name_is_not_overwritten(tmp_path: Path):
    here = make_picture(tmp_path / "input" / "dog.png", 1)
    before = here.read_bytes()
    other = make_picture(tmp_path / "dog.png", 2)
    with pytest.raises(UserError, match="has this name already"):
        bring.picture(other, tmp_path / "input")
    assert here.read_bytes() == before


def test_what_is_no_picture_is_not_copied(tmp_path: Path):
    (tmp_path / "page.jpg").write_text("<html>")
    for name in ("page.jpg", "nothing.jpg"):
        with pytest.raises(UserError, match=name):
            bring.picture(tmp_path / name, tmp_path / "input")
    assert not (tmp_path / "input").exists()


@pytest.mark.parametrize(
    ("words", "image"),
    [
        ("two red kites over a beach", "two-red-kites-over-a-beach"),
        ("A dog, a cat & {a} cow: they meet in a field", "a-dog-a-cat-a-cow"),
        ("  größe \n 雪 ", "größe-雪"),
    ],
)
def test_a_text_names_its_game(words: str, image: str, tmp_path: Path):
    assert bring.text(words, tmp_path) == image
    assert (tmp_path / f"{image}.txt").read_text().strip() == " ".join(words.split())
    assert bring.text(words, tmp_path) == image


def test_texts_that_begin_alike_are_told_apart(tmp_path: Path):
    bring.text("one two three four five six seven", tmp_path)
    with pytest.raises(UserError, match="begin your text with other words"):
        bring.text("one two three four five six eight", tmp_path)
    for empty in ("", " ", "…"):
        with pytest.raises(UserError, match="no word"):
            bring.text(empty, tmp_path)


def test_a_target_plays_it_and_tells_the_page(game: Game):
    dog = make_picture(game.path("elsewhere", "dog.png"), 3)
    dry = game.call("play", "--dry-run", picture=str(dog))
    assert dry.code == 1 and "dry run" in dry.text and not game.path("input", "dog.png").exists()
    call = game.play("play", picture=str(dog))
    assert f"Look at it in a browser: {game.path('results/dog/index.html')}" in call.text
    assert game.path("results/dog/round2.png").exists()
    game.play("play", text="a red kite")
    assert game.path("results/a-red-kite/strip.png").exists()
    call = game.call("play")
    assert call.code == 1 and "say what to begin with" in call.text
    call = game.call("play", picture=str(dog), text="a red kite")
    assert call.code == 1 and "either a picture or a text" in call.text
    call = game.call("play", picture="nothing.jpg")
    assert call.code == 1 and "nothing.jpg" in call.text and "Traceback" not in call.text


def test_make_plays_it(game: Game):
    for part in ("Makefile", "Snakefile", "rules", "scripts", "profiles", "requirements.txt"):
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, game.path(part))
    bin = game.path(".venv", "bin")
    bin.mkdir(parents=True)
    for name in ("python", "snakemake"):
        (bin / name).write_text(f'#!/bin/sh\nexec {Path(sys.executable).parent / name} "$@"\n')
        (bin / name).chmod(0o755)
    game.path(".venv", "game").touch()  # as if everything was installed
    opened = game.path("opened")
    (bin / "xdg-open").write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    (bin / "xdg-open").chmod(0o755)
    game.path("config.yaml").write_text("bundle: tiny\nrounds: 5\n")
    text = 'a "red" kite; $HOME'
    done = subprocess.run(
        ["make", "play", "OPEN=yes", f"TEXT={text}"],
        cwd=game.folder,
        env={**os.environ, "PATH": f"{bin}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Look at it in a browser: results/a-red-kite-home/index.html" in done.stderr
    assert game.path("input", "a-red-kite-home.txt").read_text().strip() == text
    assert opened.read_text().strip() == "results/a-red-kite-home/index.html"
