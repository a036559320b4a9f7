"""How the workflow grows: many bases and long chains, with a bundle that ships.

    python benchmarks/scale.py [10x5 100x5 1000x5 1x1000 ...] [--bundle NAME] [--cores N]

For each game (bases x rounds): planning it (a dry run), playing it, calling again with nothing to
do, and one base more; seconds by the clock and, behind a stroke, of a CPU, and the peak memory of
the process. The same stages in a bare loop without a workflow (a sample of them, about BARE) tell
what the networks take, and so the workflow's own share of a stage: what playing takes beyond the
call that has nothing to do, the start of the loop, and the loop's time for as many stages.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from overhead import ROOT, Cost, prepare, run

BARE = 100  # stages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("games", nargs="*", default=["10x5", "100x5", "1000x5", "1x1000"])
    parser.add_argument("--bundle", default="storybook")
    parser.add_argument("--cores", type=int, default=1)
    options = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}; bundle {options.bundle}, --cores {options.cores}\n")
    columns = ["game", "stages", "plan", "play", "a stage", "of it networks", "of it workflow"]
    columns += ["nothing to do", "one base more", "memory: plan", "play"]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for game in options.games:
        bases, rounds = map(int, game.split("x"))
        measure(bases, rounds, options.bundle, options.cores)


def measure(bases: int, rounds: int, bundle: str, cores: int) -> None:
    """Play one game and print its line of the table."""
    stages = 2 * bases * rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, bundle, bases)
        plan = snakemake(folder, bundle, rounds, cores, "--dry-run")
        play = snakemake(folder, bundle, rounds, cores)
        again = snakemake(folder, bundle, rounds, cores)
        shutil.copy(folder / "input" / "base0.png", folder / "input" / "more.png")
        more = snakemake(folder, bundle, rounds, cores)
        shutil.rmtree(folder / "results")
        start, stage = bare(folder, bundle, min(bases, max(1, BARE // (2 * rounds))), rounds)
    played = [(play.seconds - again.seconds - start[0]) / stages,
              (play.cpu - again.cpu - start[1]) / stages]  # fmt: skip
    cells = [
        f"{bases} x {rounds}", f"{stages}", both(plan.seconds, plan.cpu),
        both(play.seconds, play.cpu), both(*played, 1000), both(*stage, 1000),
        both(played[0] - stage[0] / cores, played[1] - stage[1], 1000),
        both(again.seconds, again.cpu), both(more.seconds, more.cpu), f"{plan.memory:.0f} MB",
        f"{max(cost.memory for cost in (play, again, more)):.0f} MB",
    ]  # fmt: skip
    print("| " + " | ".join(cells) + " |", flush=True)


def both(clock: float, cpu: float, times: int = 1) -> str:
    """Seconds, or milliseconds where they are given a thousand times."""
    unit = {1: "s", 1000: "ms"}[times]
    return f"{times * clock:.1f} / {times * cpu:.1f} {unit}"


def snakemake(folder: Path, bundle: str, rounds: int, cores: int, *more: str) -> Cost:
    """The cost of a call that plays every round of every base."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--quiet", "all", *more]
    settings = ["--snakefile", str(ROOT / "Snakefile"), "--config", f"bundle={bundle}"]
    targets = [
        f"results/{path.stem}/round{rounds}.png" for path in sorted(folder.glob("input/*.png"))
    ]
    return run([*command, *settings, f"rounds={rounds}", "--", *targets], folder)


def bare(folder: Path, bundle: str, bases: int, rounds: int) -> tuple[list[float], list[float]]:
    """Of a loop without a workflow: its start, and a stage; seconds by the clock and of a CPU."""
    rounds = min(rounds, BARE // 2)
    play = [sys.executable, str(ROOT / "benchmarks" / "overhead.py"), "--play", bundle]
    short = run([*play, str(bases), "1"], folder)
    shutil.rmtree(folder / "results")
    long = run([*play, str(bases), str(rounds + 1)], folder)
    stage = [
        (long.seconds - short.seconds) / (2 * bases * rounds),
        (long.cpu - short.cpu) / (2 * bases * rounds),
    ]
    return [short.seconds - 2 * bases * stage[0], short.cpu - 2 * bases * stage[1]], stage


if __name__ == "__main__":
    main()
