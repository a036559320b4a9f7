"""How the workflow grows: many bases and long chains, with a bundle that ships.

    python benchmarks/scale.py [10x5 100x5 1000x5 1x1000 ...] [--bundle NAME] [--cores N]

For each game (bases x rounds): planning it (a dry run), playing it, calling again with nothing to
do, and one base more; wall seconds, and the peak memory of the largest process. The same stages in
a bare loop without a workflow (a sample of them, at most BARE) tell what the networks take, and so
the workflow's own share of a stage.
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
    print("| game | stages | plan | play | ms a stage | of it networks | nothing to do ", end="")
    print("| one base more | peak memory |\n|---|---|---|---|---|---|---|---|---|")
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
        networks = bare(folder, bundle, min(bases, max(1, BARE // (2 * rounds))), rounds)
    beyond = play.seconds - again.seconds
    memory = max(cost.memory for cost in (plan, play, again, more))
    cells = [
        f"{bases} x {rounds}", f"{stages}", f"{plan.seconds:.1f} s", f"{play.seconds:.1f} s",
        f"{1000 * beyond / stages:.1f}", f"{networks:.1f}", f"{again.seconds:.1f} s",
        f"{more.seconds:.1f} s", f"{memory:.0f} MB",
    ]  # fmt: skip
    print("| " + " | ".join(cells) + " |", flush=True)


def snakemake(folder: Path, bundle: str, rounds: int, cores: int, *more: str) -> Cost:
    """The cost of a call that plays every round of every base."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--quiet", "all", *more]
    settings = ["--snakefile", str(ROOT / "Snakefile"), "--config", f"bundle={bundle}"]
    targets = [
        f"results/{path.stem}/round{rounds}.png" for path in sorted(folder.glob("input/*.png"))
    ]
    return run([*command, *settings, f"rounds={rounds}", "--", *targets], folder)


def bare(folder: Path, bundle: str, bases: int, rounds: int) -> float:
    """Milliseconds of a stage in a loop, loading left out: what two sizes of the loop differ by."""
    rounds = min(rounds, BARE // 2)
    play = [sys.executable, str(ROOT / "benchmarks" / "overhead.py"), "--play", bundle]
    short = run([*play, str(bases), "1"], folder).seconds
    shutil.rmtree(folder / "results")
    long = run([*play, str(bases), str(rounds + 1)], folder).seconds
    return 1000 * (long - short) / (2 * bases * rounds)


if __name__ == "__main__":
    main()
