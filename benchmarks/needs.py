"""What a caption and a picture need, what this machine can do, and how far apart the two are.

    python benchmarks/needs.py [storybook|coco ...] [--models FOLDER]

Multiply-adds of the plain network and of the one that is played, CPU milliseconds of each part on
one thread, and the share of the time that the multiply-adds alone would take at the machine's best
(float32, measured in the same run). Sizes are the bundles', weights are random.
"""

import argparse
import platform
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import torch
from networks import ROOT, WORDS, captioner_of, generator_of
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from scripts import backbones, packed, winograd
from scripts.attngan import optimize as painters
from scripts.attngan.generator import Generator
from scripts.attngan.text_encoder import TextEncoder
from scripts.bundles import Bundle
from scripts.captioner.network import Captioner
from scripts.captioner.optimize import FastDecoder
from scripts.networks import build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="*", default=["storybook", "coco"])
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with torch.inference_mode():
        best = machine()
        for name in options.bundles:
            report(Bundle.read(name, options.models), best)


def machine() -> float:
    """Print what one thread can do; the most multiply-adds a second of float32."""
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"{platform.machine()}, {capability}, torch {torch.__version__}; 1 thread\n")
    print("| | float32 | bfloat16 |\n|---|---|---|")
    rates: dict[str, list[float]] = defaultdict(list)
    for kind in (torch.float32, torch.bfloat16):
        a = torch.randn(1024, 1024).to(kind)
        rates["matrix product, 1024 x 1024 x 1024"].append(1024**3 / fastest(lambda a=a: a @ a))
        x = torch.randn(1, 128, 64, 64).to(kind, memory_format=torch.channels_last)
        w = torch.randn(128, 128, 3, 3).to(kind, memory_format=torch.channels_last)
        seconds = fastest(lambda x=x, w=w: functional.conv2d(x, w, padding=1))
        rates["3 x 3 convolution, 128 channels, 64 x 64"].append(128**2 * 9 * 64**2 / seconds)
    for name, (single, half) in rates.items():
        print(f"| {name} | {single / 1e9:.0f} | {half / 1e9:.0f} |")
    print("\n(10⁹ multiply-adds a second)\n")
    return max(single for single, _ in rates.values())


def report(bundle: Bundle, best: float) -> None:
    """Print the parts of one bundle."""
    text = build(bundle, "text_encoder", range(1000)).eval()
    captioner, painter = captioner_of(bundle), generator_of(bundle)
    captioner.decoder.max_words = WORDS
    needed = {name: multiply_adds(work) for name, work in parts(captioner, text, painter).items()}
    backbones.fold(captioner.encoder.backbone)
    captioner.decoder = FastDecoder(captioner.decoder)
    winograd.optimize(painters.fold(painter))
    played = {name: multiply_adds(work) for name, work in parts(captioner, text, painter).items()}
    side = captioner.config.size
    packed.pack(captioner.encoder, (1, 3, side, side))
    backbones.channels_last(captioner.encoder.backbone)
    packed.pack(painter.first, (1, painter.config.noise), (1, painter.config.condition))
    print(f"## {bundle.name}\n")
    print("| part | 10⁶ needed | 10⁶ as played | ms | at the best |\n|---|---|---|---|---|")
    for name, work in parts(captioner, text, painter).items():
        seconds = fastest(work)
        print(
            f"| {name} | {needed[name] / 1e6:.0f} | {played[name] / 1e6:.0f} "
            f"| {1000 * seconds:.1f} | {played[name] / best / seconds:.0%} |",
            flush=True,
        )
    print()


def parts(
    captioner: Captioner, text: TextEncoder, painter: Generator
) -> dict[str, Callable[[], object]]:
    """What is done in a round, in the order in which it is done."""
    sizes, side = painter.config, captioner.config.size
    picture = torch.randn(1, 3, side, side)
    features = torch.randn(1, captioner.config.embedding)
    ids, lengths = torch.ones(1, WORDS, dtype=torch.int64), torch.tensor([WORDS])
    z, condition = torch.randn(1, sizes.noise), torch.randn(1, sizes.condition)
    words, padding = torch.randn(1, sizes.sentence, WORDS), torch.zeros(1, WORDS) > 0
    maps = [
        torch.randn(1, sizes.width, side, side).to(memory_format=torch.channels_last)
        for side in (64 * 2**stage for stage in range(sizes.stages))
    ]
    painted = list(zip(painter.paint, maps[-len(painter.paint) :], strict=True))
    return {
        "picture seen": lambda: captioner.encoder(picture),
        f"{WORDS} words said": lambda: captioner.decoder.greedy(features),
        "caption read": lambda: text(ids, lengths),
        "first stage": lambda: painter.first(z, condition),
        **{
            f"stage {number}": lambda stage=stage, x=x: stage(x, words, padding)
            for number, (stage, x) in enumerate(zip(painter.later, maps, strict=False), 2)
        },
        "colours": lambda: [paint(x) for paint, x in painted],
    }


def multiply_adds(work: Callable[[], object]) -> int:
    """Of convolutions and matrix products; those of an LSTM are seen without oneDNN only."""
    with torch.backends.mkldnn.flags(enabled=False), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() // 2


def fastest(work: Callable[[], object], turns: int = 4) -> float:
    """CPU seconds of the fastest turn."""
    taken = []
    for _ in range(turns):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    main()
