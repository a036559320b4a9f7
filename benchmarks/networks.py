"""What each step gains that makes the networks faster, side by side in one run.

    python benchmarks/networks.py [storybook|coco ...] [--threads N] [--repeat N] [--models FOLDER]

The first row is the plain reference network doing the work of the original: every stage's picture
painted, captions said to their full length, 16 candidates in one batch. Each later row adds one
step to the row above. The rows take turns, so that what else the machine does meets all of them,
and the fastest turn of each counts. For one thread these are CPU milliseconds, which a busy machine
changes little, for more threads wall milliseconds. Sizes are the bundles', weights are random.
"""

import argparse
import copy
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from scripts import backbones, packed, winograd  # noqa: E402
from scripts.attngan import generator, transposed  # noqa: E402
from scripts.attngan import optimize as painters  # noqa: E402
from scripts.attngan.attention import attend  # noqa: E402
from scripts.attngan.generator import Generator  # noqa: E402
from scripts.bundles import Bundle  # noqa: E402
from scripts.captioner.network import END, Captioner  # noqa: E402
from scripts.captioner.optimize import FastDecoder  # noqa: E402
from scripts.networks import build  # noqa: E402

WORDS = 12  # of the caption that is painted, and of one that ends by itself: COCO's usual length
CANDIDATES = 16
VOCABULARY = 9956  # the published captioner's, where a bundle's words are not there
Row = tuple[str, Callable[[], object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="*", default=["storybook", "coco"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5, help="turns that each row takes")
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"{platform.machine()}, {capability}, {options.threads} threads, {torch.__version__}\n")
    for name in options.bundles:
        bundle = Bundle.read(name, options.models)
        with torch.inference_mode():
            report(f"{name}: one caption", caption_rows(bundle), options.repeat)
            rows, many = picture_rows(bundle)
            report(f"{name}: one picture", rows, options.repeat)
            report(f"{name}: {CANDIDATES} candidates", many, max(1, options.repeat // 4))


def captioner_of(bundle: Bundle) -> Captioner:
    """The captioner with random weights, which never says <end>."""
    torch.manual_seed(0)
    known = bundle.weights("captioner").with_suffix(".txt").is_file()
    network = build(bundle, "captioner", None if known else range(VOCABULARY))
    network.decoder.linear.bias.data[END] = -1e9
    return network.eval().requires_grad_(False)


def generator_of(bundle: Bundle) -> Generator:
    """The generator with random weights."""
    torch.manual_seed(0)
    return build(bundle, "generator").eval().requires_grad_(False)


def caption_rows(bundle: Bundle) -> list[Row]:
    """The steps towards the captioner that is played."""
    plain = captioner_of(bundle)
    side = plain.config.size
    picture = torch.randn(1, 3, side, side)
    first = copy.deepcopy(plain)
    backbones.fold(first.encoder.backbone)
    once = copy.deepcopy(first)
    backbones.channels_last(once.encoder.backbone)
    reordered, tiled, played = (copy.deepcopy(once) for _ in range(3))
    packed.pack(reordered.encoder, (1, 3, side, side))
    winograd.optimize(tiled.encoder, packed.sizes(tiled.encoder, (1, 3, side, side)))
    played.encoder = packed.pack(tiled.encoder, (1, 3, side, side))
    played.decoder = FastDecoder(played.decoder)

    def say(words: int) -> None:
        played.decoder.max_words = words
        played.captions(picture)

    return [
        (f"plain, {plain.config.max_words} words", lambda: plain.describe(picture)),
        ("norms folded", lambda: first.describe(picture)),
        ("channels last", lambda: once.describe(picture)),
        ("weights packed", lambda: reordered.describe(picture)),
        ("Winograd where maps are whole tiles", lambda: tiled.describe(picture)),
        ("quick decoder", lambda: say(plain.config.max_words)),
        (f"<end> after {WORDS} words", lambda: say(WORDS)),
    ]


def picture_rows(bundle: Bundle) -> tuple[list[Row], list[Row]]:
    """The steps towards the generator that is played: for one picture, and for candidates."""
    plain = generator_of(bundle)
    doubled = transposed.use_transposed(copy.deepcopy(plain))
    last = painters.fold(copy.deepcopy(plain))
    all_pictures = copy.deepcopy(last)
    all_pictures.paint = copy.deepcopy(plain.paint).to(memory_format=torch.channels_last)
    first = copy.deepcopy(all_pictures).to(memory_format=torch.contiguous_format)
    reordered = copy.deepcopy(last)
    packed.pack(reordered.first, (1, plain.config.noise), (1, plain.config.condition))
    played = painters.optimize(copy.deepcopy(plain), "cpu")

    def draw(number: int) -> tuple[Tensor, ...]:
        sizes = plain.config
        words = torch.rand(1, sizes.sentence, WORDS).expand(number, -1, -1) - 0.5
        z, eps = torch.randn(number, sizes.noise), torch.randn(number, sizes.condition)
        return z, eps, words, words.mean(dim=2), torch.zeros(number, WORDS, dtype=torch.bool)

    def paint(network: Generator, inputs: tuple[Tensor, ...]) -> Callable[[], object]:
        return lambda: [network(*one) for one in zip(*(x.split(1) for x in inputs), strict=True)]

    one, many = draw(1), draw(CANDIDATES)
    rows = [
        ("plain", published(plain, one)),
        ("attention with places last", paint(plain, one)),
        ("transposed convolutions", paint(doubled, one)),
        ("norms folded", paint(first, one)),
        ("channels last", paint(all_pictures, one)),
        ("last picture only", paint(last, one)),
        ("weights packed", paint(reordered, one)),
        (f"Winograd from {winograd.WIDE} channels on", paint(played, one)),
    ]
    return rows, [
        ("plain, in one batch", published(plain, many)),
        ("plain, one by one", paint(plain, many)),
        ("as played: one by one", paint(played, many)),
    ]


def published(network: Generator, inputs: tuple[Tensor, ...]) -> Callable[[], object]:
    """Painting in one batch, with attention in the order of the published code."""

    def attend_by_place(places: Tensor, words: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        scores = (places.transpose(1, 2) @ words).masked_fill(padding[:, None], -torch.inf)
        attention = scores.softmax(dim=2)  # (B, N, T)
        return words @ attention.transpose(1, 2), attention

    def paint() -> None:
        generator.attend = attend_by_place
        try:
            network.batched(*inputs)
        finally:
            generator.attend = attend

    return paint


def report(title: str, rows: list[Row], repeat: int) -> None:
    """Let all rows take turns, and print what each takes and how often faster it is."""
    times: dict[str, list[float]] = {name: [] for name, _ in rows}
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for _ in range(repeat):
        for name, work in rows:
            start = clock()
            work()
            times[name].append(clock() - start)
    best = [min(times[name]) for name, _ in rows]
    print(f"## {title}\n\n| step | ms | of the step | in all |\n|---|---|---|---|")
    for number, (name, _) in enumerate(rows):
        before, now = best[max(0, number - 1)], best[number]
        print(f"| {name} | {1000 * now:.1f} | {before / now:.2f} | {best[0] / now:.2f} |")
    print(flush=True)


if __name__ == "__main__":
    main()
