"""What a graphics card makes of the networks: exactness, speed, memory, and how far from its best.

    python benchmarks/cuda.py [--quick] [--device cuda] [--models FOLDER]
    python benchmarks/cuda.py --device cpu --small   # the same code at toy sizes, without a card

Needs PyTorch, torchvision, safetensors, Pillow and PyYAML only. `storybook` has its real weights,
the official sizes random ones. Captions and pictures are compared with those that the game plays on
the CPU. The floor of a row is the time that its arithmetic or its memory traffic, whichever takes
longer, would take at the rates that the device reached in the same run. What cannot run is a row
that says why. `--quick` is meant to take four minutes on a data-centre card.
"""

import argparse
import copy
import math
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
if __name__ != "__main__":
    # PyTorch looks for NVIDIA's package of this name, and finds this file where another benchmark
    # runs. It does without the package then.
    raise ImportError("benchmarks/cuda.py is a script, not a module")
sys.path[0] = str(ROOT)  # not this folder, for the same reason

import torch  # noqa: E402
import yaml  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from scripts.attngan import optimize as painters  # noqa: E402
from scripts.attngan.damsm import sentence_loss, words_loss  # noqa: E402
from scripts.attngan.discriminator import Discriminator  # noqa: E402
from scripts.attngan.generator import Generator, GeneratorConfig  # noqa: E402
from scripts.attngan.image_encoder import ImageEncoder, ImageEncoderConfig  # noqa: E402
from scripts.attngan.text_encoder import TextEncoder, TextEncoderConfig  # noqa: E402
from scripts.captioner import optimize as captioners  # noqa: E402
from scripts.captioner.network import END, Captioner, CaptionerConfig  # noqa: E402

WORDS = 12  # of a caption that is painted: COCO's usual length
VOCABULARY = {"captioner": 9956, "text_encoder": 27297}  # of the official weights
GIB = 2**30


@dataclass(frozen=True)
class Precision:
    """How numbers are kept and multiplied."""

    name: str
    dtype: torch.dtype
    tf32: bool = False  # tensor cores round float32 factors to 10 bits of mantissa


PRECISIONS = (
    Precision("float32", torch.float32),
    Precision("TF32", torch.float32, tf32=True),
    Precision("bfloat16", torch.bfloat16),
    Precision("float16", torch.float16),
)
EXECUTIONS = ("eager", "graph", "compile")


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    batches: tuple[int, ...]
    compared: int  # captions and pictures that are compared with the CPU's
    seconds: float  # of each timing
    compiled: tuple[str, ...]  # precisions that torch.compile is tried with
    matrix: int  # side of the matrices whose product shows the device's best
    copied: int  # bytes of the copy that shows it


FULL = Scale((1, 2, 4, 8, 16, 32, 64), 64, 1.0, ("float32", "TF32", "bfloat16"), 8192, 2 * GIB)
QUICK = replace(FULL, batches=(1, 8, 64), seconds=0.4, compiled=("TF32",))
SMALL = Scale((1, 2), 2, 0.02, (), 256, 2**22)


@dataclass
class Rates:
    """What the device reaches: bytes copied, and operations (two for a multiply-add), a second."""

    copy: float
    product: dict[str, float] = field(default_factory=dict)  # by precision


@dataclass
class Networks:
    """The three networks of a game, in evaluation mode."""

    name: str
    captioner: Captioner
    reader: TextEncoder
    painter: Generator

    def on(self, device: str, dtype: torch.dtype = torch.float32) -> "Networks":
        """A copy as the game plays it on a device."""
        captioner, reader, painter = copy.deepcopy((self.captioner, self.reader, self.painter))
        # What is packed for the CPU stays there, in float32.
        kind = device if dtype == torch.float32 else "other than the CPU"
        return Networks(
            self.name,
            captioners.optimize(captioner, kind).to(device, dtype),
            reader.to(device, dtype),
            painters.optimize(painter, kind).to(device, dtype),
        )

    def draw(self, count: int) -> dict[str, Tensor]:
        """The first `count` pictures to describe and captions to paint, on the CPU."""
        generator = torch.Generator().manual_seed(0)
        side, sizes = self.captioner.config.size, self.painter.config
        known = self.reader.config.vocabulary
        drawn = [
            (
                torch.randn(1, 3, 8, 8, generator=generator),
                torch.randint(1, known, (1, WORDS), generator=generator),
                torch.randn(1, sizes.noise, generator=generator),
                torch.randn(1, sizes.condition, generator=generator),
            )
            for _ in range(count)
        ]
        coarse, ids, z, eps = map(torch.cat, zip(*drawn, strict=True))
        # Coarse patterns: white noise would look alike to a network that is used to pictures.
        pictures = functional.interpolate(coarse, side, mode="bilinear")
        return {"pictures": pictures, "ids": ids, "z": z, "eps": eps}  # (B, …) each


@dataclass
class Row:
    """One line of the last table."""

    network: str
    precision: str
    execution: str
    batch: int
    caption: float = math.nan  # seconds of a batch
    picture: float = math.nan
    same_captions: float = math.nan  # share
    largest: float = math.nan  # difference of a pixel's value, of 255
    above: float = math.nan  # share of values that differ by more than 1
    memory: float = math.nan  # bytes at the peak
    floor: float = math.nan  # seconds of a batch's round at the device's best
    why: str = ""  # it could not run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    parser.add_argument("--quick", action="store_true", help="about four minutes")
    parser.add_argument("--small", action="store_true", help="toy sizes, to try the script itself")
    parser.add_argument("--first-picture", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.first_picture:
        return first_picture(options.device)
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("There is no graphics card here. Try the script with --device cpu --small.")
    scale = SMALL if options.small else QUICK if options.quick else FULL
    device = options.device
    # A CPU knows no TF32, and few multiply float16.
    precisions = [p for p in PRECISIONS if is_cuda(device) or p.name in ("float32", "bfloat16")]
    torch.manual_seed(0)
    print(f"{card(device)}, PyTorch {torch.__version__}, Python {platform.python_version()}\n")

    rates = measure_rates(device, precisions, scale)
    tables = [rates_table(rates)]
    rows: list[Row] = []
    networks = toys() if options.small else [shipped(options.models), official(options.models)]
    for each in networks:
        rows += measure(each, device, precisions, scale, rates)
    tables.append(start_table(device))
    tables.append(training_table(networks[-1], device, scale))
    tables.append(table_of(rows))
    print("\n\n".join(tables))


def card(device: str) -> str:
    return torch.cuda.get_device_name(device) if is_cuda(device) else platform.processor() or "CPU"


def is_cuda(device: str) -> bool:
    return device.startswith("cuda")


def say(text: str) -> None:
    """Progress; the tables alone go to standard output."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


# --- networks


def shipped(models: Path) -> Networks:
    """The storybook, with its weights."""
    folder = models / "storybook"
    sizes = yaml.safe_load((folder / "bundle.yaml").read_text(encoding="utf-8"))
    words = {
        part: len((folder / f"{part}.txt").read_text(encoding="utf-8").splitlines())
        for part in VOCABULARY
    }
    networks = build("storybook", sizes, words)
    for part, network in (
        ("captioner", networks.captioner),
        ("text_encoder", networks.reader),
        ("generator", networks.painter),
    ):
        weights = load_file(folder / f"{part}.safetensors")
        network.load_state_dict({key: _single(value) for key, value in weights.items()})
    return networks


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def official(models: Path) -> Networks:
    """The official sizes, with random weights that say and paint something else each time."""
    sizes = yaml.safe_load((models / "coco" / "bundle.yaml").read_text(encoding="utf-8"))
    return liven(build("official sizes", sizes, VOCABULARY))


def toys() -> list[Networks]:
    sizes = {
        "captioner": {"backbone": "shufflenet_v2_x0_5", "size": 64, "embedding": 16, "hidden": 16},
        "text_encoder": {"embedding": 12, "features": 16},
        "generator": {"noise": 8, "condition": 6, "width": 4, "stages": 2, "residuals": 1},
    }
    return [liven(build("toy", sizes, {"captioner": 40, "text_encoder": 40}))]


def build(name: str, sizes: dict[str, Any], words: dict[str, int]) -> Networks:
    painter = {"sentence": sizes["text_encoder"].get("features", 256), **sizes["generator"]}
    return Networks(
        name,
        Captioner(CaptionerConfig(words["captioner"], **sizes["captioner"])).eval(),
        TextEncoder(TextEncoderConfig(words["text_encoder"], **sizes["text_encoder"])).eval(),
        Generator(GeneratorConfig(**painter)).eval(),
    )


@torch.no_grad()
def liven(networks: Networks) -> Networks:
    """Random weights with norms that have seen data; without it, every output would be alike."""
    seen = networks.draw(16)
    for network in (networks.captioner, networks.painter):
        network.train()
        for norm in network.modules():
            if isinstance(norm, nn.modules.batchnorm._BatchNorm):
                norm.momentum = None  # statistics of all that it has seen
    networks.captioner.encoder(seen["pictures"])
    words, sentence = networks.reader(seen["ids"], torch.full((16,), WORDS))
    networks.painter(seen["z"], seen["eps"], words, sentence, torch.zeros(16, WORDS) > 0)
    networks.captioner.decoder.linear.weight *= 8
    networks.captioner.decoder.linear.bias[END] = -1e3  # captions of full length
    for paint in networks.painter.paint:
        paint.conv.weight *= 3
    networks.captioner.eval(), networks.painter.eval()
    return networks


# --- what is measured


class Player:
    """Plays batches on a device, in one precision and one way of execution."""

    def __init__(self, networks: Networks, execution: str, batch: int) -> None:
        self.networks, self.batch = networks, batch
        first = next(networks.painter.parameters())
        self.device, self.dtype = first.device, first.dtype
        self.lengths = torch.full((batch,), WORDS)
        self.padding = torch.zeros(batch, WORDS, dtype=torch.bool, device=self.device)
        self.given = self._there(networks.draw(batch))
        self.see = networks.captioner.encoder
        self.compose = self._compose
        if execution == "compile":
            self.see = torch.compile(self.see)
            self.compose = torch.compile(self.compose)
        if execution == "graph":
            self.see = graphed(self.see, self.given["pictures"])
            self.compose = graphed(self.compose, *self._read())

    def take(self, inputs: dict[str, Tensor]) -> None:
        """Play these inputs from now on: as many as the batch, in the form of Networks.draw."""
        self.given = self._there(inputs)

    def captions(self) -> Tensor:
        """Ids, (B, max_words)."""
        return self.networks.captioner.decoder.greedy(self.see(self.given["pictures"]))

    def paintings(self) -> Tensor:
        """Pictures (B, 3, S, S), uint8, on the CPU."""
        painted = self.compose(*self._read()).float()
        return ((painted + 1) * 127.5).to(torch.uint8).cpu()

    def _there(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: value.to(self.device, self.dtype if value.is_floating_point() else value.dtype)
            for name, value in inputs.items()
        }

    def _read(self) -> tuple[Tensor, ...]:
        words, sentence = self.networks.reader.batched(self.given["ids"], self.lengths)
        return self.given["z"], self.given["eps"], words, sentence

    def _compose(self, z: Tensor, eps: Tensor, words: Tensor, sentence: Tensor) -> Tensor:
        painted = self.networks.painter.batched(z, eps, words, sentence, self.padding)
        return painted.pictures[-1]


def graphed(work: Callable[..., Tensor], *inputs: Tensor) -> Callable[..., Tensor]:
    """The same work as a recorded CUDA graph: one launch for all its kernels."""
    held = [value.clone() for value in inputs]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work(*held)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work(*held)

    def replay(*given: Tensor) -> Tensor:
        for there, value in zip(held, given, strict=True):
            there.copy_(value)
        graph.replay()
        return result

    return replay


@contextmanager
def multiplying(precision: Precision, device: str) -> Iterator[None]:
    """Whether float32 factors may be rounded to TF32."""
    if not is_cuda(device):
        yield
        return
    wanted = "tf32" if precision.tf32 else "ieee"
    switches = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = wanted
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value


@torch.inference_mode()
def measure(
    networks: Networks, device: str, precisions: list[Precision], scale: Scale, rates: Rates
) -> list[Row]:
    """One row for each precision, way of execution and batch."""
    say(f"{networks.name}: as the CPU plays it")
    inputs = networks.draw(scale.compared)
    wanted = outputs(Player(networks.on("cpu"), "eager", 1), inputs)
    operations, traffic = count(networks)
    rows = []
    for precision in precisions:
        with multiplying(precision, device):
            played = networks.on(device, precision.dtype)
            for execution in EXECUTIONS:
                if execution != "eager" and not is_cuda(device):
                    continue
                if execution == "compile" and precision.name not in scale.compiled:
                    continue
                say(f"{networks.name}: {precision.name}, {execution}")
                for batch in scale.batches:
                    row = Row(networks.name, precision.name, execution, batch)
                    width = precision.dtype.itemsize / 4
                    row.floor = batch * max(
                        operations / rates.product.get(precision.name, math.inf),
                        traffic * width / rates.copy,
                    )
                    try:
                        player = Player(played, execution, batch)
                        fill(row, player, scale, device)
                        compare(row, player, inputs, wanted)
                    except (RuntimeError, NotImplementedError) as error:
                        row.why = str(error).splitlines()[0][:60]
                    rows.append(row)
    return rows


def outputs(player: Player, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Captions and pictures of all inputs, batch by batch: ids, and uint8 pictures, on the CPU."""
    said, painted = [], []
    for start in range(0, len(inputs["ids"]), player.batch):
        some = {name: value[start : start + player.batch] for name, value in inputs.items()}
        missing = player.batch - len(some["ids"])  # the last batch is filled up
        filled = {
            name: torch.cat([v, v[:1].expand(missing, *v.shape[1:])]) for name, v in some.items()
        }
        player.take(filled)
        said.append(player.captions()[: len(some["ids"])].cpu())
        painted.append(player.paintings()[: len(some["ids"])])
    return torch.cat(said), torch.cat(painted)


def compare(
    row: Row, player: Player, inputs: dict[str, Tensor], wanted: tuple[Tensor, Tensor]
) -> None:
    """How far captions and pictures are from the CPU's."""
    ids, pictures = outputs(player, inputs)
    row.same_captions = float((ids == wanted[0]).all(dim=1).double().mean())
    difference = (pictures.int() - wanted[1].int()).abs()
    row.largest = int(difference.max())
    row.above = float((difference > 1).double().mean())


def fill(row: Row, player: Player, scale: Scale, device: str) -> None:
    """Times and memory of a batch."""
    if is_cuda(device):
        torch.cuda.reset_peak_memory_stats(device)
    row.caption = timed(player.captions, scale.seconds, device)
    row.picture = timed(player.paintings, scale.seconds, device)
    if is_cuda(device):
        row.memory = torch.cuda.max_memory_allocated(device)


def timed(
    work: Callable[[], object],
    seconds: float,
    device: str,
    of: Callable[[list[float]], float] = median,
) -> float:
    """Median (or another summary) of a turn's seconds; a turn ends when the device has finished."""

    def turn() -> float:
        start = time.perf_counter()
        work()
        if is_cuda(device):
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    turn(), turn()  # allocation, choice of kernels
    taken = [turn() for _ in range(5)]
    while sum(taken) < seconds and len(taken) < 1000:
        taken.append(turn())
    return of(taken)


# --- the floor


class Traffic(TorchDispatchMode):
    """Adds up the bytes of what each operator reads and writes, as if nothing were fused."""

    total = 0

    def __torch_dispatch__(
        self, operator: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = operator(*args, **(kwargs or {}))
        views = any(argument.alias_info is not None for argument in operator._schema.returns)
        if not views:
            touched = tree_leaves((args, kwargs, result))
            self.total += sum(t.nbytes for t in touched if isinstance(t, Tensor))
        return result


def count(networks: Networks) -> tuple[float, float]:
    """Operations, and bytes in float32, of one round, counted on the CPU.

    LSTMs are counted only without oneDNN, which computes each as one operator.
    """
    plain = Networks(networks.name, *copy.deepcopy((networks.captioner, networks.reader)), None)
    plain.painter = painters.fold(copy.deepcopy(networks.painter))
    player = Player(plain, "eager", 1)
    flags, traffic = torch.backends.mkldnn.flags(enabled=False), Traffic()
    with flags, FlopCounterMode(display=False) as counter, traffic:
        player.captions(), player.paintings()
    return float(counter.get_total_flops()), float(traffic.total)


def measure_rates(device: str, precisions: list[Precision], scale: Scale) -> Rates:
    """A large copy, and a large matrix product in each precision."""
    say("rates")
    source = torch.empty(scale.copied, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    seconds = timed(partial(target.copy_, source), scale.seconds, device, min)
    rates = Rates(2 * scale.copied / seconds)
    for precision in precisions:
        with multiplying(precision, device):
            a = torch.randn(scale.matrix, scale.matrix, device=device).to(precision.dtype)
            b = torch.randn(scale.matrix, scale.matrix, device=device).to(precision.dtype)
            seconds = timed(partial(torch.matmul, a, b), scale.seconds, device, min)
            rates.product[precision.name] = 2 * scale.matrix**3 / seconds
    return rates


# --- start and training


def start_table(device: str) -> str:
    """What a process takes to its first picture, with small networks: the device's own share."""
    say("start")
    command = [sys.executable, __file__, "--device", device, "--first-picture"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    whole = time.perf_counter() - start
    loaded, painted = map(float, done.stdout.split())
    return (
        "| start of a process | s |\n|---|---|\n"
        f"| Python and imports | {whole - loaded - painted:.2f} |\n"
        f"| device and networks | {loaded:.2f} |\n| first picture | {painted:.2f} |"
    )


@torch.inference_mode()
def first_picture(device: str) -> None:
    """Print the seconds until the networks are on the device, and those of a picture after that."""
    start = time.perf_counter()
    networks = toys()[0].on(device)
    loaded = time.perf_counter()
    Player(networks, "eager", 1).paintings()
    print(loaded - start, time.perf_counter() - loaded)


def training_table(networks: Networks, device: str, scale: Scale) -> str:
    """Training steps a second of each part, at the batches that were published."""
    lines = ["| training step | batch | steps a second |", "|---|---|---|"]
    for name, batch, step in jobs(networks, device, small=scale is SMALL):
        say(f"training: {name}")
        try:
            lines.append(f"| {name} | {batch} | {1 / timed(step, scale.seconds, device):.2f} |")
        except RuntimeError as error:
            lines.append(f"| {name} | {batch} | {str(error).splitlines()[0][:60]} |")
    return "\n".join(lines)


def jobs(
    networks: Networks, device: str, *, small: bool
) -> Iterator[tuple[str, int, Callable[[], object]]]:
    """Name, batch and one step of each part's training."""
    mixed = torch.autocast(device.partition(":")[0], torch.bfloat16)

    def taught(loss: Callable[[], Tensor], *parts: nn.Module) -> Callable[[], object]:
        weights = [weight for part in parts for weight in part.parameters()]
        optimizer = torch.optim.AdamW(weights, 1e-5)

        def step() -> None:
            optimizer.zero_grad()
            with mixed:
                value = loss()
            value.backward()
            optimizer.step()

        return step

    captioner, reader, painter = (
        copy.deepcopy(part).to(device).train()
        for part in (networks.captioner, networks.reader, networks.painter)
    )
    batch = 2 if small else 64
    given = {name: value.to(device) for name, value in networks.draw(batch).items()}
    ids = torch.randint(3, captioner.decoder.linear.out_features, (batch, WORDS), device=device)
    lengths = torch.full((batch,), WORDS)

    def speaking() -> Tensor:
        logits = captioner(given["pictures"], ids, lengths)
        return functional.cross_entropy(logits.float(), ids.T.flatten())

    yield "captioner", batch, taught(speaking, captioner)

    sizes = ImageEncoderConfig(features=reader.config.features)
    if small:
        sizes = replace(sizes, backbone="mobilenet_v3_small", size=64, regions="8")
    encoder = ImageEncoder(sizes).to(device).train()
    batch = 2 if small else 48
    shown = torch.rand(batch, 3, sizes.size, sizes.size, device=device) * 2 - 1
    read_ids = torch.randint(1, reader.config.vocabulary, (batch, WORDS), device=device)
    padding = torch.zeros(batch, WORDS, dtype=torch.bool, device=device)

    def matching() -> Tensor:
        regions, whole = encoder(shown)
        words, sentence = reader(read_ids, torch.full((batch,), WORDS))
        return words_loss(regions.float(), words.float(), padding) + sentence_loss(
            whole.float(), sentence.float()
        )

    yield "DAMSM", batch, taught(matching, encoder, reader)

    count = 2 if small else 14
    inputs = {name: value.to(device) for name, value in networks.draw(count).items()}
    with torch.no_grad():
        words, sentence = reader(inputs["ids"], torch.full((count,), WORDS))
    blank = padding[:1].expand(count, -1)
    side = 64 * 2 ** (painter.config.stages - 1)
    real = [
        torch.rand(count, 3, 64 * 2**stage, 64 * 2**stage, device=device) * 2 - 1
        for stage in range(painter.config.stages)
    ]

    def painted() -> list[Tensor]:
        return painter(inputs["z"], inputs["eps"], words, sentence, blank).pictures

    def distance() -> Tensor:
        return sum((p.float() - r).abs().mean() for p, r in zip(painted(), real, strict=True))

    yield f"painter to {side} pixels, plain distance", count, taught(distance, painter)

    judges = nn.ModuleList(
        Discriminator(64 * 2**stage, width=4 if small else 96, sentence=painter.config.sentence)
        for stage in range(painter.config.stages)
    ).to(device)

    def against(pictures: list[Tensor], answer: float) -> Tensor:
        total = sentence.new_zeros(())
        for judge, shown in zip(judges, pictures, strict=True):
            features = judge(shown)
            for logits in (judge.conditional(features, sentence), judge.unconditional(features)):
                wanted = torch.full_like(logits.float(), answer)
                total = total + functional.binary_cross_entropy_with_logits(logits.float(), wanted)
        return total

    def judging() -> Tensor:
        return against(real, 1.0) + against([p.detach() for p in painted()], 0.0)

    judge, paint = taught(judging, judges), taught(lambda: against(painted(), 1.0), painter)
    yield f"AttnGAN to {side} pixels, judges and painter", count, lambda: (judge(), paint())


# --- tables


def rates_table(rates: Rates) -> str:
    lines = ["| the device's best | |", "|---|---|", f"| copy | {rates.copy / 1e9:.0f} GB/s |"]
    lines += [
        f"| matrix product, {name} | {rate / 1e12:.2f} TFLOP/s |"
        for name, rate in rates.product.items()
    ]
    return "\n".join(lines)


def table_of(rows: list[Row]) -> str:
    columns = (
        "networks", "precision", "execution", "batch", "s a round, alone", "captions a second",
        "pictures a second", "same captions", "largest difference", "above 1", "peak MB",
        "floor, ms a batch", "times the floor",
    )  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(cells(row))} |" for row in rows)])


def cells(row: Row) -> list[str]:
    start = [row.network, row.precision, row.execution, str(row.batch)]
    if row.why:
        return [*start, f"could not run: {row.why}", *[""] * 8]
    whole = row.caption + row.picture
    return [
        *start,
        shown(whole, ".4f") if row.batch == 1 else "",
        shown(row.batch / row.caption, ".1f"),
        shown(row.batch / row.picture, ".1f"),
        shown(row.same_captions, ".1%"),
        shown(row.largest, ".0f"),
        shown(row.above, ".4%"),
        shown(row.memory / 1e6, ".0f"),
        shown(1000 * row.floor, ".3f"),
        shown(whole / row.floor, ".1f"),
    ]


def shown(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


if __name__ == "__main__":
    main()
