"""Many chains on few cores: one thread for each chain, or all threads for one chain after another.

    python benchmarks/threads.py [storybook|coco ...] [--cores N] [--seconds N] [--models FOLDER]

Rounds (a caption and its picture) a second, on a machine that does nothing else; and whether the
numbers of threads give the same bytes. Sizes are the bundles', weights are random.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from networks import ROOT, WORDS, captioner_of, generator_of
from torch import Tensor

from scripts.attngan import optimize as painters
from scripts.bundles import Bundle
from scripts.captioner import optimize as captioners


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="*", default=["storybook", "coco"])
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    options = parser.parse_args()
    print("| | chains x threads | rounds a second | as with 1 thread |\n|---|---|---|---|")
    for name in options.bundles:
        game = Game(Bundle.read(name, options.models))
        first = game.play(1)
        for chains, threads in ((1, 1), (options.cores, 1), (1, options.cores)):
            same = all(torch.equal(a, b) for a, b in zip(game.play(threads), first, strict=True))
            rate = game.rate(chains, threads, options.seconds)
            print(f"| {name} | {chains} x {threads} | {rate:.2f} | {same} |", flush=True)


class Game:
    """The networks of a bundle as they are played, and what they are given."""

    def __init__(self, bundle: Bundle) -> None:
        torch.set_num_threads(1)
        self.captioner = captioners.optimize(captioner_of(bundle), "cpu")
        self.captioner.decoder.max_words = WORDS
        self.painter = painters.optimize(generator_of(bundle), "cpu")
        sizes, side = self.painter.config, self.captioner.config.size
        self.picture = torch.randn(1, 3, side, side)
        words = torch.rand(1, sizes.sentence, WORDS) - 0.5
        noise = torch.randn(1, sizes.noise), torch.randn(1, sizes.condition)
        self.caption = *noise, words, words.mean(dim=2), torch.zeros(1, WORDS) > 0

    @torch.inference_mode()
    def play(self, threads: int) -> tuple[Tensor, Tensor]:
        """What is seen in the picture, and what is painted, with so many threads."""
        torch.set_num_threads(threads)  # this thread's
        self.captioner.describe(self.picture)
        seen = self.captioner.encoder(self.picture)
        return seen, self.painter(*self.caption).pictures[-1]

    @torch.inference_mode()
    def rounds(self, threads: int, until: float) -> int:
        """Play until a time; how many rounds that were."""
        torch.set_num_threads(threads)
        number = 0
        while time.perf_counter() < until:
            self.captioner.captions(self.picture)
            self.painter(*self.caption)
            number += 1
        return number

    def rate(self, chains: int, threads: int, seconds: float) -> float:
        """Rounds a second of so many chains at once."""
        start = time.perf_counter()
        with ThreadPoolExecutor(chains) as pool:
            played = pool.map(lambda _: self.rounds(threads, start + seconds), range(chains))
            return sum(played) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
