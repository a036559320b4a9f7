"""A game ends within seconds of SIGINT and SIGTERM, and the plain command goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT, Game
from test_killed import farm, finished, kill

SOON = 30.0  # seconds at the most, on a busy machine; a game that hangs never ends


@pytest.fixture(scope="module")
def undisturbed(new_game: Callable[[], Game]) -> dict[str, bytes]:
    game = farm(new_game)
    game.play("all", cores=2)
    return game.contents()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("times", [1, 2])
def test_a_game_ends_soon_and_goes_on(
    number: signal.Signals,
    times: int,
    new_game: Callable[[], Game],
    undisturbed: dict[str, bytes],
):
    """Signals come while stages begin and end on two threads, at other moments in each game."""
    game = farm(new_game)
    for more in (1, 6):
        said, there = game.path("said"), len(finished(game))
        process = game.start("all", cores=2, said=said)
        while process.exitcode is None and len(finished(game)) < there + more:
            time.sleep(0.002)
        assert process.exitcode is None, said.read_text()
        for _ in range(times):
            with suppress(ProcessLookupError):  # it may end before it is told twice
                os.kill(process.pid, number)
            time.sleep(0.05)
        process.join(SOON)
        hung = process.exitcode is None
        kill(process)
        assert not hung, said.read_text()
        assert process.exitcode != 0
        assert number.name in said.read_text() and "Traceback" not in said.read_text()
        # The page shows what stands, so it differs while games are unfinished.
        stand = [name for name in finished(game) if "index" not in name]
        assert all(game.path("results", name).read_bytes() == undisturbed[name] for name in stand)
    game.play("all", cores=2)
    assert {name: game.contents()[name] for name in finished(game)} == undisturbed


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_before_anything_has_begun_it_ends_at_once(seconds: float, new_game: Callable[[], Game]):
    """While the workflow is read and jobs are put together; no traceback, asyncio's or another."""
    game = new_game()
    said = game.path("said")
    process = game.start("results/cow/round300.png", "--dry-run", said=said)
    while process.exitcode is None and "Using" not in said.read_text():
        time.sleep(0.002)
    time.sleep(0.5 + seconds)
    assert process.exitcode is None, said.read_text()
    os.kill(process.pid, signal.SIGINT)
    process.join(SOON)
    assert process.exitcode == 128 + signal.SIGINT, said.read_text()
    assert "Traceback" not in said.read_text()


PARENT = """
import subprocess, sys, time
from scripts import signals
signals.end_soon(lambda: float(sys.argv[1]), lambda: None)
child = subprocess.Popen(["sleep", "600"])
print(child.pid, flush=True)
time.sleep(600)
"""


def parent(seconds: float) -> subprocess.Popen:
    command = [sys.executable, "-c", PARENT, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_child_processes_end_with_it():
    process = parent(0)
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON) == 128 + signal.SIGTERM
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_second_signal_does_not_wait():
    process = parent(600)
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON) == 128 + signal.SIGTERM


FORKED = """
import os, signal, sys, time
from scripts import signals
signals.end_soon(lambda: 0.0, lambda: None)
child = os.fork()
if not child:
    time.sleep(600)
time.sleep(0.2)
os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
time.sleep(0.5)
print("lives")
"""


def test_a_signal_to_a_forked_child_is_the_childs():
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.stdout.split() == [str(-signal.SIGTERM), "lives"], done.stderr
