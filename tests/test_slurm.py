"""On a real SLURM of two nodes: one process a job, the same bytes, and what a lost job costs."""

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import modern
import pytest
import slurm
import yaml
from conftest import ROOT, Call, Game, make_picture

CHAINS = ("cow", "bear", "dog", "cat")
REQUIRED = "TELEPHONE_NEEDS_SLURM"  # set where a cluster must not be missing: by `make test`


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    if reason := slurm.missing():
        if os.environ.get(REQUIRED):
            pytest.fail(f"SLURM is to be tested here, but: {reason}")
        pytest.skip(reason)
    with slurm.cluster(tmp_path_factory.mktemp("slurm")):
        yield


@pytest.fixture
def farm(new_game: Callable[[], Game], nodes: None) -> Game:
    """A game of four chains, with the project's own profile for SLURM."""
    game = new_game()
    game.fresh = True  # as a person calls it: what is submitted is made from the call
    for number, chain in enumerate(CHAINS):
        make_picture(game.path("input", f"{chain}.png"), number)
    game.path("config.yaml").write_text("bundle: tiny\nrounds: 3\n")
    shutil.copytree(ROOT / "profiles" / "slurm", game.path("profiles", "slurm"))
    return game


def submit(game: Game, rounds: int, *arguments: str, files: Sequence[str] = ()) -> Call:
    """Plays all chains as two cluster jobs; without accounting, it is `squeue` that is asked."""
    return game.call(
        *(files or targets(rounds)), "--workflow-profile", "profiles/slurm", "--jobs", "2",
        "--default-resources", "slurm_partition=main", "mem_mb=500", "runtime=2",
        "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2",
        "--latency-wait", "10", *arguments, timeout=600, cores=4,
    )  # fmt: skip


def targets(rounds: int) -> list[str]:
    return [f"results/{chain}/round{rounds}.png" for chain in CHAINS]


def jobs_that_ran() -> list[dict[str, str]]:
    """What the controller remembers: id, node, state, graphics cards and memory of each job."""
    said = subprocess.run(
        ["squeue", "--states=all", "--noheader", "--format=%i|%N|%T|%b|%m"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    rows = [line.split("|") for line in said.splitlines()]
    return [dict(zip(("id", "node", "state", "cards", "memory"), row, strict=True)) for row in rows]


def jobs_of(play: Callable[[], Call]) -> list[dict[str, str]]:
    """The jobs that a call submits, which must succeed."""
    known = {job["id"] for job in jobs_that_ran()}
    call = play()
    assert call.code == 0, call.text
    return [job for job in jobs_that_ran() if job["id"] not in known]


def alone(new_game: Callable[[], Game], farm: Game, rounds: int) -> Game:
    """The farm's game, played on this machine."""
    home = new_game()
    shutil.copytree(farm.path("input"), home.path("input"), dirs_exist_ok=True)
    shutil.copy(farm.path("config.yaml"), home.path("config.yaml"))
    home.play(*targets(rounds), timeout=300)
    return home


def played(game: Game) -> dict[str, bytes]:
    """What must not depend on where it was played: captions and pictures."""
    return {name: data for name, data in game.contents().items() if not name.endswith(".json")}


@contextmanager
def processes_with_torch(folder: Path) -> Iterator[set[int]]:
    """The processes that work in a folder and load torch meanwhile, seen from outside."""
    seen: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    command = entry.read_bytes().decode(errors="replace")
                    if str(folder) in command and "libtorch" in (
                        entry.with_name("maps").read_text()
                    ):
                        seen.add(int(entry.parent.name))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def test_chains_are_shared_out_and_give_the_same_bytes(farm: Game, new_game: Callable[[], Game]):
    with processes_with_torch(farm.folder) as processes:
        jobs = jobs_of(lambda: submit(farm, 3))
    assert {job["node"] for job in jobs} == {"node1", "node2"}
    assert len(jobs) == 2  # four chains, two jobs
    assert len(processes) == 2  # one for each job
    assert {job["cards"] for job in jobs} == {"N/A"}
    assert played(farm) == played(alone(new_game, farm, 3))
    assert not list(farm.folder.glob("results/**/.*.part"))
    assert farm.call(*targets(3)).nothing


def test_a_job_asks_for_one_graphics_card_if_the_profile_says_so(farm: Game):
    profile = farm.path("profiles/slurm/config.yaml")
    said = re.sub("^# (set-resources:|  .*gres: .*)$", r"\1", profile.read_text(), flags=re.M)
    profile.write_text(said)
    jobs = jobs_of(lambda: submit(farm, 1))
    assert len(jobs) == 2
    assert {job["cards"] for job in jobs} == {"gres:gpu:1"}


def test_models_of_today_ask_for_what_their_bundle_says(
    farm: Game, new_game: Callable[[], Game], tmp_path: Path
):
    """Memory of the larger stage, one card for the stages of a job, one load of the models."""
    captioner = {"kind": "transformers", "model": str(modern.blip(tmp_path / "blip"))}
    model = str(modern.stable_diffusion(tmp_path / "sd"))
    painter = {"kind": "diffusers", "model": model, "size": 32, "steps": 2}
    bundle = {
        "captioner": captioner | {"min_tokens": 4, "max_tokens": 8},
        "painter": painter,
        "resources": {"captioner": {"mem_mb": 2500}, "painter": {"mem_mb": 3500, "gpus": 1}},
    }
    path = farm.path("models/modern/bundle.yaml")
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(bundle))
    farm.path("config.yaml").write_text("bundle: modern\n")
    for chain in CHAINS[2:]:
        farm.path("input", f"{chain}.png").unlink()
    pictures = [f"results/{chain}/round2.png" for chain in CHAINS[:2]]
    with processes_with_torch(farm.folder) as processes:
        [job] = jobs_of(lambda: submit(farm, 2, "--group-components", "chain=2", files=pictures))
    assert job["cards"] == "gres:gpu:1" and len(processes) == 1
    assert int(job["memory"].removesuffix("M")) >= 3500
    home = new_game()
    shutil.copytree(farm.path("models/modern"), home.path("models/modern"))
    shutil.copytree(farm.path("input"), home.path("input"), dirs_exist_ok=True)
    home.play(*pictures, bundle="modern")
    assert played(farm) == played(home)
    [verifying] = jobs_of(lambda: submit(farm, 2, files=["verify"]))
    assert verifying["cards"] == "gres:gpu:1" and verifying["memory"] == "3500M"


def test_a_cancelled_job_is_named_and_made_up(farm: Game, new_game: Callable[[], Game]):
    farm.path("config.yaml").write_text("bundle: tiny\nrounds: 30\n")
    known = {job["id"] for job in jobs_that_ran()}
    victims: list[str] = []

    def cancel() -> None:
        end = time.monotonic() + 500
        while time.monotonic() < end and not victims:
            running = [
                job
                for job in jobs_that_ran()
                if job["id"] not in known and job["state"] == "RUNNING"
            ]
            started = [
                chain for chain in CHAINS if farm.path(f"results/{chain}/round2.png").exists()
            ]
            if running and len(started) == len(CHAINS):
                victims.append(running[0]["id"])
                subprocess.run(["scancel", running[0]["id"]], check=True)
            time.sleep(0.1)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    call = submit(farm, 30, "--keep-going")
    canceller.join()
    assert victims and call.code != 0, call.text
    assert victims[0] in call.text and ".log" in call.text  # which job, and where its log is
    finished = [path for path in targets(30) if farm.path(path).exists()]
    assert len(finished) == 2, call.text  # the other job's chains
    undisturbed = played(alone(new_game, farm, 30))
    there = {name: data for name, data in played(farm).items() if not name.endswith(".part")}
    assert there.items() <= undisturbed.items()  # each file is whole
    times = farm.times()
    assert jobs_of(lambda: submit(farm, 30))
    kept = {name for name, time in farm.times().items() if times.get(name) == time}
    assert len(kept) > len(times) - 6  # nothing that was finished is played again
    assert played(farm) == undisturbed
    assert not list(farm.folder.glob("results/**/.*.part"))
