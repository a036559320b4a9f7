"""What a call says: captions while it plays, where things lie, and what went wrong, once."""

import io
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest
from conftest import ROOT, Game, make_picture

from scripts import targets, terminal

NOISE = ("Select jobs", "Execute ", "Finished jobid", "Error in rule", "message:", "Complete log")


def said(text: str) -> list[str]:
    """The lines of a call, without the one in which Snakemake names its profile."""
    return [line for line in text.splitlines() if line and "specific profile" not in line]


def test_a_game_tells_its_captions_and_where_it_lies(new_game: Callable[[], Game]):
    game = new_game()
    lines = said(game.play("results/cow/round2.png").text)
    captions = [game.path(f"results/cow/round{n}.txt").read_text().strip() for n in (1, 2)]
    assert lines[:2] == [f"cow, round {n}: {caption}" for n, caption in enumerate(captions, 1)]
    assert len(lines) == 3
    assert lines[2].startswith("2 rounds of 1 game in ")
    assert lines[2].endswith(str(game.path("results/cow/round2.png")))
    assert game.call("results/cow/round2.png").nothing


def test_all_ends_with_the_strips_and_the_page(new_game: Callable[[], Game]):
    game = new_game()
    make_picture(game.path("input", "kite.png"), 4)
    lines = said(game.play().text)
    assert len(lines) == 2 * 2 + 2
    assert "4 rounds of 2 games" in lines[-2] and "results/cow/strip.png" in lines[-2]
    assert lines[-1] == f"Look at it in a browser: {game.path('results/index.html')}"


def test_what_went_wrong_is_said_at_the_end_and_nothing_else(new_game: Callable[[], Game]):
    game = new_game()
    game.path("input", "junk.jpg").write_text("<html>")
    game.path("input", "strange.txt").write_text("zebra xylophone")
    make_picture(game.path("input", "twin.png"))
    make_picture(game.path("input", "twin.bmp"))
    game.path("input", "bits.txt").write_bytes(b"\x00\xff")
    call = game.call(cores=2)
    lines = said(call.text)
    assert call.code == 1
    assert not [line for line in lines if line.strip().startswith(NOISE)], call.text
    errors = [line for line in lines if line.startswith("Error: ")]
    assert errors == lines[-4:]
    for name in ("junk.jpg", "strange", "twin.bmp and input/twin.png", "bits.txt"):
        assert sum(name in line for line in errors) == 1
    # The others were played, and the page shows them.
    assert game.path("results/cow/strip.png").exists()
    assert any(line.startswith("Look at it") for line in lines)
    assert '"cow"' in game.path("results/index_files/data.js").read_text()
    assert game.call("results/cow/strip.png").nothing
    assert not game.path(".snakemake/refused").exists() or not any(
        game.path(".snakemake/refused").iterdir()
    )
    for name in ("junk.jpg", "strange.txt", "twin.bmp", "bits.txt"):
        game.path("input", name).unlink()
    game.play()


def test_words_that_the_painter_does_not_know_are_told(new_game: Callable[[], Game]):
    game = new_game()
    game.path("input", "wish.txt").write_text("a red zebra and a kite")
    lines = said(game.play("results/wish/round1.png").text)
    assert lines[0] == "wish, round 1: a red zebra and a kite (not known to the painter: zebra)"


@pytest.mark.parametrize("asked", [["--verbose"], ["--config", "terminal=snakemake"]])
def test_snakemake_speaks_itself_where_it_is_asked_to(game: Game, asked: list[str]):
    assert "Finished jobid" in game.call("results/cow/round1.png", *asked).text


def test_a_dry_run_lists_what_would_be_done(game: Game):
    assert "Job stats" in game.play("--dry-run").text


def test_a_failure_of_another_kind_is_shown_as_it_is(game: Game):
    shutil.rmtree(game.path("models", "tiny"))
    game.path("models", "tiny").write_text("not a folder")
    call = game.call("results/cow/round1.png")
    assert call.code == 1 and "Error" in call.text


def test_a_terminal_shows_one_bar_with_the_newest_caption(new_game: Callable[[], Game]):
    game = new_game()
    parent, child = pty.openpty()
    environment = {**game.environment, "TERM": "xterm-256color", "COLUMNS": "100"}
    command = [sys.executable, "-m", "snakemake", *game.command("results/cow/round2.png")]
    with subprocess.Popen(
        command, stdout=child, stderr=child, cwd=game.folder, env=environment
    ) as process:
        os.close(child)
        shown = b""
        while True:
            try:
                piece = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
        assert process.wait(300) == 0
    os.close(parent)
    text = shown.decode()
    caption = game.path("results/cow/round2.txt").read_text().strip()
    assert "round 1" in text or "round 2" in text
    assert "4/4" in text or "3/4" in text  # steps
    assert "2 rounds of 1 game" in text.splitlines()[-1] or "2 rounds of 1 game" in text
    assert "\x1b[?25h" in text[text.rindex("\x1b[?25l") :]  # the cursor is back
    assert caption.split()[0] in text


def test_names_cannot_command_the_terminal():
    stream = io.StringIO()
    terminal.Plain(stream).round("cow\x1b[2J", 1, "a\x07b \x9b31m", [])
    assert not set(stream.getvalue()) & {"\x1b", "\x07", "\x9b"}


def test_a_bar_shows_captions_as_they_are():
    stream = io.StringIO()
    bar = terminal.Bar(stream)
    bar.start(3)
    bar.say("a [bold]cow[/bold] [/nothing]")
    bar.round("[red]", 1, "[link=x]", ["[/]"])
    bar.stop()
    assert "a [bold]cow[/bold] [/nothing]" in stream.getvalue()


# --- targets that are none


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("cow", "results/cow/round5.png"),
        ("cow@7", "results/cow@7/round5.png"),
        ("figure", "Did you mean figures?"),
        ("strips.png", "results/cow/strip.png"),
        ("drift.png", "results/cow/drift.svg"),
        ("round3.pgn", "results/cow/round3.png"),
        ("cow/round3.png", "results/cow/round3.png"),
        ("result/cow/round3.png", "results/cow/round3.png"),
        ("results/cow", "results/cow/strip.png"),
        ("results/cow/round3.pgn", "results/cow/round3.png"),
        ("results/cow/flim.gif", "results/cow/film.gif"),
        ("results/cow/candidate/round2.png", "results/cow/candidates/round2.png"),
        ("kit", "results/kite/round5.png"),
        ("nonsense", "all, figures, study"),
    ],
)
def test_a_target_that_is_none_is_met_with_what_may_be_meant(target: str, meant: str):
    message = targets.unknown(target, ["cow", "kite"], ["all", "figures", "study"], 5)
    assert message.startswith(f"{target}: ") and meant in message


def test_a_misspelt_target_ends_the_call_in_one_line(game: Game):
    for target in ("cow", "results/cow/round1.pgn", "strips.png"):
        lines = said(game.call(target).text)
        assert len(lines) == 1 and "results/cow/" in lines[0], lines


def test_a_chain_that_is_too_long_is_refused_at_once(game: Game):
    call = game.call("results/cow/round100000.png", timeout=60)
    assert "4000 rounds at the most" in call.text and call.code == 1


def test_another_folder_is_named_with_what_to_do(game: Game):
    nowhere = game.path("nowhere")
    nowhere.mkdir()
    text = Game(nowhere).call("results/cow/round1.png").text
    assert f"The folder is {nowhere}" in text and f"--directory {ROOT}" in text


def test_the_list_describes_what_people_call_and_nothing_else(game: Game):
    listed = dict(line.split(": ", 1) for line in said(game.play("--list").text))
    assert {"all", "strip", "film", "figures", "study", "verify", "page"} <= set(listed)
    assert not {"check", "convert", "count_words", "refused", "study_mcd"} & set(listed)
    assert all(len(told) > 15 for told in listed.values())
