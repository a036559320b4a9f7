"""How long a large import takes, and how much memory: python benchmarks/large_import.py

As many chains as the largest set of "The Telephone Game" has (400 pairs of a picture and a text,
20 generations, 7 models), in its layout, of pictures of the storybook's size and captions of its
manner. A smaller part can be asked for: --pairs 40 --models 2.
"""

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from scripts.storybook.dataset import scene_of  # noqa: E402

GENERATIONS = 20
SIDE = 256


def write_model(folder: Path, pairs: int, chance: random.Random) -> None:
    """Chains that change a little each time, from both kinds of starts."""
    for first in ("text-first", "image-first"):
        captions = [scene_of(2, index)[1][0] for index in range(pairs)]
        for generation in range(GENERATIONS + 1):
            if (generation % 2 == 0) == (first == "text-first"):
                for index in range(pairs):
                    if chance.random() < 0.3:
                        captions[index] = scene_of(2, chance.randrange(2000))[1][0]
                lines = [f'{index:03}.png,"{captions[index]}"\n' for index in range(pairs)]
                (folder / first).mkdir(parents=True, exist_ok=True)
                (folder / first / f"gen-{generation}.csv").write_text(
                    "filename,caption\n" + "".join(lines)
                )
            else:
                place = folder / first / f"gen-{generation}"
                place.mkdir(parents=True)
                for index in range(pairs):
                    draw_picture(index, generation).save(
                        place / f"{index:03}.png", compress_level=1
                    )


def draw_picture(index: int, generation: int) -> Image.Image:
    """A picture of soft colours, of SIDE pixels."""
    small = np.random.default_rng((index, generation)).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--models", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = [f"model-{number}" for number in range(asked.models)]
        write_model(folder / models[0], asked.pairs, random.Random(0))
        for other in models[1:]:
            shutil.copytree(folder / models[0], folder / other, copy_function=_link)
        (folder / "input").mkdir()
        (folder / "models").symlink_to(ROOT / "models")
        (folder / "config.yaml").write_text(f"study: {{bases: [], imported: {models}}}\n")
        begun = time.perf_counter()
        subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile"),
                *("--directory", folder, "--cores", "2", "study"),
            ],
            check=True,
        )
        took = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    chains = 2 * asked.pairs * asked.models
    print(f"{chains} chains of {GENERATIONS} generations: {took:.0f} s, {peak:.2f} GiB")


def _link(source: str, goal: str) -> None:
    Path(goal).hardlink_to(source)


if __name__ == "__main__":
    main()
