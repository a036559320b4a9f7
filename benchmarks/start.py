"""What passes before the first picture: imports, loading, and a whole first round; peak memory.

    python benchmarks/start.py [storybook|coco ...]

Each figure is that of a process of its own: CPU seconds (a busy machine changes them little), wall
seconds, and its peak memory. `coco` has the official sizes and random weights.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from overhead import ROOT, SEED, prepare

IMPORTS = ("torch", "torchvision", "safetensors.torch", "nltk", "snakemake.cli")
SETUP = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom scripts.bundles import Bundle\n"
# As the original code builds its networks: filled with chance, then with what is in the files.
FILLED = """
import torch
from safetensors.torch import load_file
from scripts.networks import build
bundle = Bundle.read({name!r})
for part in ("captioner", "text_encoder", "generator"):
    network = build(bundle, part)
    network.load_state_dict(load_file(bundle.weights(part)))
"""
LOADED = """
bundle = Bundle.read({name!r})
for part in ("captioner", "text_encoder", "generator"):
    bundle.network(part, "cpu")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="*", default=["storybook", "coco"])
    options = parser.parse_args()
    print("| | CPU s | s | peak memory |\n|---|---|---|---|")
    for module in IMPORTS:
        measure(f"import {module}", [sys.executable, "-c", f"import {module}"], ROOT)
    for name in options.bundles:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), name, 1)
            for title, code in (("filled at random first", FILLED), ("as played", LOADED)):
                command = [sys.executable, "-c", SETUP + code.format(name=name)]
                measure(f"{name}: networks, {title}", command, Path(folder))
            for rounds in (1, 3):
                command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"]
                command += ["--cores", "1", "--quiet", "all"]
                command += ["--config", f"bundle={name}", f"seed={SEED}"]
                command += ["--", f"results/base0/round{rounds}.png"]
                measure(f"{name}: up to round {rounds}", command, Path(folder))


def measure(title: str, command: list, folder: Path) -> None:
    """Run a command that must succeed, and print what it cost."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {command}")
    wall, cpu = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
    print(f"| {title} | {cpu:.1f} | {wall:.1f} | {usage.ru_maxrss / 1024:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
