"""What the workflow costs: the same games played three ways, side by side in one run.

    bare      one Python process that calls the stages in a loop, no workflow around it
    workflow  snakemake
    cold      the original's hand-off: a new Python process for every caption and every picture

    python benchmarks/overhead.py [storybook|coco|modern ...] [--repeat N]

`coco` has the official sizes and random weights, so that nothing is downloaded: time does not
depend on the weights. `modern` has a tiny random BLIP and a tiny random Stable Diffusion, which the
tests make, and is not played cold. Every way plays the same chains; their pictures are compared
pixel by pixel.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from scripts.bundles import Bundle  # noqa: E402
from scripts.chains import Chain  # noqa: E402
from scripts.stages.caption import caption  # noqa: E402
from scripts.stages.generate import generate  # noqa: E402
from scripts.untrusted.pictures import open_picture  # noqa: E402

SEED = 100
GAMES = {"storybook": (10, 5), "coco": (2, 3), "modern": (10, 5)}  # bundle: chains, rounds


@dataclass
class Cost:
    """Of one way to play: seconds by the clock and of a CPU, peak memory of its largest process."""

    seconds: float
    memory: float  # MB
    cpu: float  # seconds, which other programs touch less than those by the clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("games", nargs="*", default=list(GAMES), choices=[*GAMES, []])
    parser.add_argument("--repeat", type=int, default=1, help="times that everything is played")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    for game in options.games:
        compare(game, *GAMES[game], options.repeat)


def compare(game: str, chains: int, rounds: int, repeat: int) -> None:
    """Play one game in every way and print what each costs."""
    costs: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), game, chains)
        for _ in range(repeat):
            played = {}
            for way, play in WAYS.items():
                if (game, way) == ("modern", "cold"):
                    continue
                shutil.rmtree(Path(folder, "results"), ignore_errors=True)
                costs.setdefault(way, []).append(play(Path(folder), game, chains, rounds))
                played[way] = pictures(Path(folder))
                if way == "workflow":
                    costs.setdefault("nothing to do", []).append(
                        workflow(Path(folder), game, chains, rounds)
                    )
            assert all(each == played["bare"] for each in played.values()), "pictures differ"
    report(game, chains, rounds, costs)


def prepare(folder: Path, game: str, chains: int) -> None:
    """A working directory with the bundle and as many base pictures as chains."""
    (folder / "input").mkdir()
    bases = sorted((ROOT / "input").glob("*.png"))
    for number in range(chains):
        shutil.copy(bases[number % len(bases)], folder / "input" / f"base{number}.png")
    (folder / "models").mkdir()
    if game == "coco":
        # In a process of its own: a child's peak memory is never less than its parent's was.
        subprocess.run(
            [sys.executable, __file__, "--write", folder / "models" / "coco"], check=True
        )
    elif game == "modern":
        subprocess.run(
            [sys.executable, __file__, "--write-modern", folder / "models" / game], check=True
        )
    else:
        (folder / "models" / game).symlink_to(ROOT / "models" / game)


def write_random(folder: Path, official: Bundle) -> None:
    """A bundle of the official sizes with random weights and made-up words."""
    import torch
    import yaml
    from safetensors.torch import save_file

    from scripts.captioner.network import END
    from scripts.networks import build

    torch.manual_seed(0)
    folder.mkdir()
    words = [f"word{number}" for number in range(27297)]
    networks = {
        "captioner": build(official, "captioner", range(9956)),
        "text_encoder": build(official, "text_encoder", range(27297)),
        "generator": build(official, "generator"),
    }
    # Captions of full length, the dearest.
    networks["captioner"].decoder.linear.bias.data[END] = -1e9
    for part, network in networks.items():
        save_file(network.state_dict(), folder / f"{part}.safetensors")
    special = ["<pad>", "<start>", "<end>", "<unk>"]
    (folder / "captioner.txt").write_text("\n".join([*special, *words[: 9956 - 4]]) + "\n")
    (folder / "text_encoder.txt").write_text("\n".join(["<end>", *words[1:]]) + "\n")
    sizes = {part: official.sizes(part) for part in networks}
    (folder / "bundle.yaml").write_text(yaml.safe_dump(sizes))


def write_modern(folder: Path) -> None:
    """A bundle whose players are tiny random models of transformers and diffusers."""
    import yaml

    sys.path.insert(0, str(ROOT / "tests"))
    import modern

    blip, painter = modern.blip(folder / "blip"), modern.stable_diffusion(folder / "sd")
    captioner = {"kind": "transformers", "model": str(blip), "min_tokens": 4, "max_tokens": 8}
    painter = {"kind": "diffusers", "model": str(painter), "size": 32, "steps": 2}
    bundle = {"captioner": captioner, "painter": painter}
    (folder / "bundle.yaml").write_text(yaml.safe_dump(bundle))


def bare(folder: Path, game: str, chains: int, rounds: int) -> Cost:
    """All stages in a loop in one new process."""
    return run([sys.executable, __file__, "--play", game, str(chains), str(rounds)], folder)


def cold(folder: Path, game: str, chains: int, rounds: int) -> Cost:
    """Each stage in a new process."""
    costs = []
    for chain in range(chains):
        for round_ in range(1, rounds + 1):
            for stage in ("caption", "generate"):
                step = [sys.executable, __file__, "--stage", game, str(chain), str(round_), stage]
                costs.append(run(step, folder))
    return Cost(
        sum(cost.seconds for cost in costs),
        max(cost.memory for cost in costs),
        sum(cost.cpu for cost in costs),
    )


def workflow(folder: Path, game: str, chains: int, rounds: int) -> Cost:
    """The same by snakemake."""
    targets = [f"results/base{chain}/round{rounds}.png" for chain in range(chains)]
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"]
    settings = [
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--config",
        f"bundle={game}",
        f"seed={SEED}",
    ]
    return run([*command, *settings, "--", *targets], folder)


WAYS = {"bare": bare, "workflow": workflow, "cold": cold}


def run(command: list[str], folder: Path) -> Cost:
    """The cost of a command that must succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    seconds = time.perf_counter() - start
    return Cost(seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)


def play_stage(game: str, chain: int, round_: int, stage: str) -> None:
    """One stage of one chain, in this process."""
    bundle = Bundle.read(game)
    folder = Path(f"results/base{chain}")
    before = folder / f"round{round_ - 1}.png" if round_ > 1 else Path(f"input/base{chain}.png")
    text = folder / f"round{round_}.txt"
    if stage == "caption":
        said = folder / "captions" / f"round{round_}.json"
        caption(before, text, said, bundle, "auto", 1)
    else:
        picture, record = text.with_suffix(".png"), text.with_suffix(".json")
        whose = Chain(f"base{chain}", f"base{chain}", SEED, game)
        generate(
            text,
            picture,
            record,
            chain=whose,
            round_=round_,
            bundle=bundle,
            device="auto",
            threads=1,
        )


def pictures(folder: Path) -> dict[str, bytes]:
    """The pixels of all pictures, by where they lie (notes in the files name their records)."""
    found = sorted(folder.glob("results/*/round*.png"))
    return {str(path.relative_to(folder)): open_picture(path).tobytes() for path in found}


def report(game: str, chains: int, rounds: int, costs: dict[str, list[Cost]]) -> None:
    """Print medians, and the ratios that matter."""
    seconds = {way: median(cost.seconds for cost in each) for way, each in costs.items()}
    count = 2 * chains * rounds
    print(f"## {game}: {chains} chains x {rounds} rounds, {count} stages\n")
    print("| way | seconds | per stage | peak memory |\n|---|---|---|---|")
    for way, each in costs.items():
        memory = max(cost.memory for cost in each)
        print(f"| {way} | {seconds[way]:.1f} | {seconds[way] / count:.3f} s | {memory:.0f} MB |")
    beyond = seconds["workflow"] - seconds["nothing to do"]
    print(f"\nworkflow less its start / bare: {beyond / seconds['bare']:.2f}")
    overhead = 1000 * (beyond - seconds["bare"]) / count
    cpu = {way: median(cost.cpu for cost in each) for way, each in costs.items()}
    by_cpu = 1000 * (cpu["workflow"] - cpu["nothing to do"] - cpu["bare"]) / count
    print(
        f"overhead of the workflow beyond its start: {overhead:.1f} ms a stage, {by_cpu:.1f} of CPU"
    )
    if "cold" in seconds:
        print(f"cold / workflow: {seconds['cold'] / seconds['workflow']:.1f}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--play"]:
        game, chains, rounds = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
        for chain in range(chains):
            for round_ in range(1, rounds + 1):
                for stage in ("caption", "generate"):
                    play_stage(game, chain, round_, stage)
    elif sys.argv[1:2] == ["--write"]:
        write_random(Path(sys.argv[2]), Bundle.read("coco", ROOT / "models"))
    elif sys.argv[1:2] == ["--write-modern"]:
        write_modern(Path(sys.argv[2]))
    elif sys.argv[1:2] == ["--stage"]:
        play_stage(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        main()
