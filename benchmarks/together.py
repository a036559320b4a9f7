"""What batches give: alone and together, on a card or a CPU: python benchmarks/together.py

Captions and pictures of one bundle in batches of 1, 2, 4 and 8, as waiting chains are played on a
graphics card; on `--device cpu`, too, where the workflow plays each chain alone. Told besides: the
largest difference of a pixel, 0 to 255, from the same picture painted alone.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from scripts import noise  # noqa: E402
from scripts.bundles import Bundle  # noqa: E402
from scripts.devices import choose_device  # noqa: E402
from scripts.untrusted.pictures import open_picture  # noqa: E402

SIZES = (1, 2, 4, 8)
NUMBER = 16  # pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="*", default=["storybook"])
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device)
    import torch

    torch.set_num_threads(1)  # as stages play
    print(f"{device}, PyTorch {torch.__version__}\n")
    print("| bundle | batch | captions a second | pictures a second | largest difference |")
    print("|---|---|---|---|---|")
    for name in options.bundles:
        compare(Bundle.read(name, ROOT / "models"), device)


def compare(bundle: Bundle, device: str) -> None:
    """One row for each size of batches."""
    bases = [open_picture(path) for path in sorted((ROOT / "input").glob("*.png"))]
    pictures = [bases[number % len(bases)] for number in range(NUMBER)]
    said = [found[0].caption for found in bundle.captioner.describe(pictures, device)]
    alone: list[np.ndarray] = []
    for size in SIZES:
        parts = [range(first, first + size) for first in range(0, NUMBER, size)]

        def describe(part: range) -> list:
            return bundle.captioner.describe([pictures[n] for n in part], device)

        def paint(part: range) -> list:
            chance = [noise.generator(100, "cow", n + 1, 0) for n in part]
            return bundle.painter.paint([said[n] for n in part], chance, device)

        describe(parts[0]), paint(parts[0])  # whatever is done once
        caption_rate, _ = timed(describe, parts)
        paint_rate, painted = timed(paint, parts)
        pixels = [np.asarray(picture, int) for picture in painted]
        alone = alone or pixels
        apart = max(abs(one - other).max() for one, other in zip(alone, pixels, strict=True))
        row = f"{caption_rate:.1f} | {paint_rate:.1f} | {apart}"
        print(f"| {bundle.name} | {size} | {row} |", flush=True)


def timed(play, parts: list[range]) -> tuple[float, list]:
    """How many a second, and all that came of it."""
    start = time.perf_counter()
    results = [result for part in parts for result in play(part)]
    return NUMBER / (time.perf_counter() - start), results


if __name__ == "__main__":
    main()
