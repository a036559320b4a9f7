"""Whether chains that caption and paint together are faster than one by one, on the CPU.

    python benchmarks/batches.py [storybook coco ...] [--models FOLDER] [--repeat N]

The same pictures and captions, alone and in batches, turn by turn in one run; medians of CPU
seconds on one thread, since other chains keep the other cores busy. `coco` has the official sizes
and random weights, so that nothing is downloaded: time does not depend on the weights.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from overhead import ROOT, write_random

from scripts.bundles import Bundle

BATCHES = (2, 4, 8, 16)
WORDS = 10  # of a caption that is painted

Alone = Callable[[int], torch.Tensor]  # result of input number …
Together = Callable[[int], torch.Tensor]  # results of the first … inputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="*", default=["storybook", "coco"])
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    parser.add_argument("--repeat", type=int, default=5, help="turns of each way")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{platform.machine()}, PyTorch {torch.__version__}, one thread\n")
    columns = ["bundle", "stage", "alone", *(f"{size} together" for size in BATCHES), "same bits"]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for name in options.bundles:
            bundle = Bundle.read(name, options.models)
            if "official" in bundle.settings:
                write_random(Path(folder, name), bundle)
                bundle = Bundle.read(name, folder)
            compare(f"{name} | caption", *captions(bundle), options.repeat)
            compare(f"{name} | generate", *paintings(bundle), options.repeat)


def captions(bundle: Bundle) -> tuple[Alone, Together]:
    """Describing pictures; the results are what was seen, on whose last bits words may hang."""
    captioner = bundle.network("captioner", "cpu")
    pictures = torch.randn(max(BATCHES), 3, captioner.config.size, captioner.config.size)

    def describe(pictures: torch.Tensor) -> torch.Tensor:
        features = captioner.encoder(pictures)
        captioner.decoder.greedy(features)
        return features

    return lambda number: describe(pictures[number, None]), lambda size: describe(pictures[:size])


def paintings(bundle: Bundle) -> tuple[Alone, Together]:
    """Painting captions; the results are the last pictures."""
    painter = bundle.network("generator", "cpu")
    sizes, count = painter.config, max(BATCHES)
    words = torch.randn(count, sizes.sentence, WORDS)
    noise = torch.randn(count, sizes.noise), torch.randn(count, sizes.condition)
    inputs = (*noise, words, words.mean(dim=2), torch.zeros(count, WORDS, dtype=torch.bool))

    def paint(chosen: slice) -> torch.Tensor:
        return painter.batched(*(value[chosen] for value in inputs)).pictures[-1]

    return lambda number: paint(slice(number, number + 1)), lambda size: paint(slice(size))


def compare(name: str, alone: Alone, together: Together, repeat: int) -> None:
    """Print how many times faster together is, by the size of the batch."""
    singly, ratios, same = [], [], []
    for size in BATCHES:
        turns = [turn(alone, together, size) for _ in range(repeat + 1)][1:]  # the first warms up
        singly += [one for one, _, _ in turns]
        ratios.append(median(one for one, _, _ in turns) / median(many for _, many, _ in turns))
        same += [equal for _, _, equal in turns]
    cells = " | ".join(f"{ratio:.2f}" for ratio in ratios)
    bits = "yes" if all(same) else "no"
    print(f"| {name} | {1000 * median(singly):.1f} ms | {cells} | {bits} |", flush=True)


def turn(alone: Alone, together: Together, size: int) -> tuple[float, float, bool]:
    """CPU seconds a piece, alone and together, and whether the results are the same bits."""
    start = time.process_time()
    results = [alone(number) for number in range(size)]
    between = time.process_time()
    whole = together(size)
    end = time.process_time()
    same = torch.equal(torch.cat(results), whole)
    return (between - start) / size, (end - between) / size, same


if __name__ == "__main__":
    main()
