"""What a dead call locked is unlocked, whoever else plays; what a living one locked is not."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Game
from test_killed import farm, finished, kill

from scripts import folder_locks
from scripts.folder_locks import FolderLocks

HOLD = """
import sys, time
from pathlib import Path
from scripts.folder_locks import FolderLocks
folder = FolderLocks(Path(sys.argv[1]))
with folder.alone():
    folder.hold(sys.argv[2:])
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> FolderLocks:
    (tmp_path / "locks").mkdir()
    for number, content in enumerate(("results/cow/round1.png\n", "results/bear/round1.png\n")):
        (tmp_path / "locks" / f"{number}.output.lock").write_text(content)
    return FolderLocks(tmp_path)


def holder(folder: FolderLocks, *locks: str) -> subprocess.Popen:
    """Another process that plays in the folder."""
    command = [sys.executable, "-c", HOLD, str(folder.locks.parent), *locks]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()


def test_the_dead_ones_locks_go_while_another_lives(folder: FolderLocks):
    dead, living = holder(folder, "0.output.lock"), holder(folder, "1.output.lock")
    try:
        end(dead)
        with folder.alone():
            folder.unlock_dead()
        assert folder.names() == {"1.output.lock"}
        [(call, files)] = folder.holders({"results/cow/round1.png", "results/bear/round1.png"})
        assert call.process == living.pid and files == ["results/bear/round1.png"]
        assert folder.holders({"results/cow/round1.png"}) == []
    finally:
        end(living)
    with folder.alone():
        folder.unlock_dead()
    assert folder.names() == set() and not list(folder.calls.glob("*.json"))


def test_a_call_on_another_machine_may_live(folder: FolderLocks):
    end(holder(folder, "0.output.lock"))
    [path] = folder.calls.glob("*.json")
    call = json.loads(path.read_text())
    path.write_text(json.dumps(call | {"host": "elsewhere", "boot": "another kernel"}))
    with folder.alone():
        folder.unlock_dead()
    assert folder.names() == {"0.output.lock"}
    [(call, _)] = folder.holders({"results/cow/round1.png"})
    assert "elsewhere" in str(call)


@pytest.mark.parametrize("same", ["host", "boot"])
def test_another_container_or_a_restart_is_the_same_machine(folder: FolderLocks, same: str):
    end(holder(folder, "0.output.lock"))
    [path] = folder.calls.glob("*.json")
    call = json.loads(path.read_text())
    other = {"host": "elsewhere", "boot": "another kernel"}
    path.write_text(json.dumps(call | {key: other[key] for key in other if key != same}))
    with folder.alone():
        folder.unlock_dead()
    assert folder.names() == set()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": 1}'])
def test_a_call_killed_while_it_began_holds_nothing(folder: FolderLocks, content: str):
    with folder.alone():
        (folder.calls / "1-1.json").write_text(content)
        folder.unlock_dead()
    assert folder.names() == set() and not list(folder.calls.glob("*.json"))


def test_what_is_released_is_gone(folder: FolderLocks):
    with folder.alone():
        folder.hold(["0.output.lock"])
    assert list(folder.calls.glob("*.json"))
    folder.release()
    assert not list(folder.calls.glob("*.json"))


def test_without_a_kernels_name_the_host_decides(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folder_locks, "BOOT", Path("/nothing"))
    call = folder_locks.Call(1, "elsewhere", "", "now", "snakemake")
    assert not call.is_here


def test_a_killed_game_goes_on_while_another_plays_other_chains(new_game: Callable[[], Game]):
    game = farm(new_game)
    cow, bear = "results/cow/round8.png", "results/bear/round60.png"
    other = game.start(bear)
    while other.exitcode is None and not finished(game):
        time.sleep(0.002)
    os.kill(other.pid, signal.SIGSTOP)  # so that it surely still plays
    try:
        there = len(finished(game))
        killed = game.start(cow)
        while killed.exitcode is None and len(finished(game)) == there:
            time.sleep(0.002)
        kill(killed)
        same = game.call(bear)
        game.play(cow)
    finally:
        os.kill(other.pid, signal.SIGCONT)
    assert same.code != 0 and f"process {other.pid}" in same.text and "results/bear/" in same.text
    other.join(600)
    assert other.exitcode == 0
    assert game.call(cow, bear).nothing
