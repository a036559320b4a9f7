"""Games that are killed, and disks that are full: nothing is lost, nothing is half there."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import yaml
from conftest import Game, make_picture
from killing import kill_before_each_file_operation
from PIL import Image
from test_convert import SIZES, published_files

from scripts.bundles import Bundle
from scripts.chains import parse
from scripts.official.convert import convert
from scripts.stages.caption import caption
from scripts.stages.generate import generate

IMAGES = ("cow", "bear", "dog")
ROUNDS = 8
KILLS = int(os.environ.get("KILLS", "6"))  # in all
KILLS_A_GAME = 6  # more would come after the end


def farm(new_game: Callable[[], Game]) -> Game:
    game = new_game()
    for number, image in enumerate(IMAGES):
        make_picture(game.path("input", f"{image}.png"), number)
    game.path("config.yaml").write_text(f"bundle: tiny\nrounds: {ROUNDS}\n")
    return game


@pytest.fixture(scope="module")
def undisturbed(new_game: Callable[[], Game]) -> dict[str, bytes]:
    game = farm(new_game)
    game.play("all", cores=2)
    return game.contents()


def finished(game: Game) -> list[str]:
    """Results under their own names: those that begin with a dot are on their way."""
    results = game.path("results")
    files = [path for path in results.glob("**/*") if path.suffix and path.name[0] != "."]
    return sorted(str(path.relative_to(results)) for path in files)


def test_a_game_killed_again_and_again_ends_with_the_same_bytes(
    new_game: Callable[[], Game], undisturbed: dict[str, bytes]
):
    chance = random.Random(os.environ.get("KILLS_SEED", "1"))
    for first in range(0, KILLS, KILLS_A_GAME):
        game = farm(new_game)
        for _ in range(first, min(KILLS, first + KILLS_A_GAME)):
            kill_at_random(game, chance, len(undisturbed))
            for name in finished(game):
                whole(game.path("results", name))
                assert game.path("results", name).read_bytes() == undisturbed[name]
        game.play("all", cores=2)  # the plain command
        assert {name: game.contents()[name] for name in finished(game)} == undisturbed
        assert game.call("all", cores=2).nothing


def kill_at_random(game: Game, chance: random.Random, all_there: int) -> None:
    """Plays on, and kills all at once: at any moment, sooner rather than later."""
    there = len(finished(game))
    wait_for = there + chance.randrange((all_there - there) // 2 + 1)
    process = game.start("all", cores=2)
    while process.exitcode is None and len(finished(game)) < wait_for:
        time.sleep(0.002)
    time.sleep(chance.random() * 0.05)
    assert process.exitcode is None, "it ended before it could be killed"
    kill(process)


def kill(process: BaseProcess) -> None:
    """Kills the whole process group. (A process that has only just been born leads none yet.)"""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def whole(path: Path) -> None:
    """Fails if a file is cut off anywhere."""
    if path.suffix in (".png", ".webp"):
        with Image.open(path) as picture:
            picture.load()
    elif path.suffix == ".json":
        json.loads(path.read_text())
    else:
        assert path.read_text().endswith("\n")


def test_a_round_killed_anywhere_leaves_whole_files(tiny: Path, tmp_path: Path):
    bundle, chain = Bundle.read("tiny", tiny.parent), parse("cow", 100, "tiny")
    base = make_picture(tmp_path / "cow.png")

    def play(folder: Path) -> None:
        files = [folder / name for name in ("round1.txt", "said.json", "round1.png", "round1.json")]
        caption(base, *files[:2], bundle, "cpu", 1)
        generate(
            files[0], *files[2:], chain=chain, round_=1, bundle=bundle, device="cpu", threads=1
        )

    play(tmp_path / "whole")
    expected = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    folder = tmp_path / "killed"

    def look() -> None:
        files = {path.name: path.read_bytes() for path in folder.glob("[!.]*")}
        assert files == {name: expected[name] for name in files}

    assert kill_before_each_file_operation(folder, lambda: play(folder), look) > 12
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected


def test_a_game_killed_between_check_and_conversion_goes_on(new_game: Callable[[], Game]):
    game = new_game()
    folder = game.path("models", "mine")
    folder.mkdir()
    published_files(folder)
    parts = {"generator": ["gan.pth"]}
    files = {"gan.pth": {"kind": "checkpoint", "sources": [{"url": "http://127.0.0.1:1/nothing"}]}}
    (folder / "bundle.yaml").write_text(
        yaml.safe_dump(SIZES | {"official": {"parts": parts, "files": files}})
    )
    target = "models/mine/generator.safetensors"
    process = game.start(target)
    while process.exitcode is None and not (folder / ".generator.checked").exists():
        time.sleep(0.001)
    kill(process)
    game.play(target)
    whole_part = game.path("generator.safetensors")
    convert("generator", [folder / "gan.pth"], folder, whole_part)
    assert game.path(target).read_bytes() == whole_part.read_bytes()


def test_a_second_call_at_the_same_time_is_told_so(
    new_game: Callable[[], Game], undisturbed: dict[str, bytes]
):
    game = farm(new_game)
    process = game.start("all", cores=2)
    while not finished(game) and process.exitcode is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGSTOP)  # so that it surely still plays
    try:
        second = game.call("all")
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert second.code != 0
    assert "Directory cannot be locked" in second.text and "Traceback" not in second.text
    process.join(600)
    assert process.exitcode == 0
    assert game.contents() == undisturbed


@contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """A small disk of its own at a folder."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    tried = subprocess.run(mount, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"a disk cannot be mounted here: {tried.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named_and_nothing_is_lost(
    new_game: Callable[[], Game], undisturbed: dict[str, bytes]
):
    game = farm(new_game)
    with disk(game.path("results"), "200k"):
        call = game.call("all", "--keep-going")
        assert call.code != 0 and "Traceback" not in call.text, call.text
        assert "cannot be written (No space left on device)" in call.text
        for name in finished(game):
            whole(game.path("results", name))
            assert game.path("results", name).read_bytes() == undisturbed[name]
        assert finished(game)
        room = ["mount", "-o", "remount,size=100m", str(game.path("results"))]
        subprocess.run(room, check=True)
        game.play("all")
        assert game.contents() == undisturbed


def test_results_that_cannot_be_written_are_named(new_game: Callable[[], Game]):
    game = farm(new_game)
    with disk(game.path("results"), "1m"):
        read_only = ["mount", "-o", "remount,ro", str(game.path("results"))]
        subprocess.run(read_only, check=True)
        call = game.call("results/cow/round1.png")
    assert call.code != 0 and "Traceback" not in call.text, call.text
    assert "results" in call.text and "Read-only file system" in call.text


@pytest.mark.parametrize("years", [-20, 20], ids=["behind", "ahead"])
def test_a_clock_that_jumps_loses_nothing(new_game: Callable[[], Game], years: int):
    """Files from another time: what was played stays as it is, or comes out as it was."""
    game = new_game()
    game.play("all")
    before = game.contents()
    time_ = time.time() + years * 365 * 86400
    for path in game.folder.glob("results/cow/round1.*"):
        os.utime(path, (time_, time_))
    call = game.call("all")
    assert call.code == 0 or "clock" in call.text, call.text
    assert "Traceback" not in call.text
    assert game.contents() == before
