"""Teaches a painter stage by stage from pictures whose layout is known (see known_noise).

With known noise every (caption, noise) has one right picture, so each stage learns by plain
distance, which turns from squares to absolute differences of pixels and of their slopes: squares
see where something is before its shape is known (the median of a small thing in many places is no
thing at all), absolute differences make it sharp.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.attngan.generator import Generator, GeneratorConfig, as_codes
from scripts.attngan.text_encoder import TextEncoder
from scripts.attngan.transposed import use_transposed
from scripts.errors import UserError
from scripts.training import samples
from scripts.training.damsm import padding_of, word_ids
from scripts.training.dataset import Batch, CaptionedPictures
from scripts.training.known_noise import noise_for
from scripts.training.optimization import Optimization, Style
from scripts.training.precision import bfloat16
from scripts.words import Vocabulary

# How later stages learn contrast: its weight beside the plain distance, and the side in pixels of
# the parts in which it is compared. An edge in a first stage's picture may lie some pixels off; in
# small parts that is penalized as much as having no edge, so that stages would learn to blur.
OF_TRUE_PICTURES = (2.0, 4)
OF_PAINTED_ONES = (8.0, 16)
OBJECTS = 10.0  # how much more a pixel inside an object's box counts
KL = 1e-4  # weight of the conditioning augmentation's divergence
CALM = -6.0  # where its log variance begins: at 0, noise drowns the caption for thousands of steps
PART = 32  # places: the side of the parts that later stages learn from
PARTS = 2  # of each picture
STYLE = Style(rise=0.05, decay=0.0, betas=(0.9, 0.98), average=0.995)


def train_first(
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    text: TextEncoder,
    config: GeneratorConfig,
    folder: Path,
    *,
    steps: int,
    polish: int = 0,
    batch: int = 16,
    rate: float = 2e-3,
    texts: float = 0.0,
    seed: int = 1,
    device: str = "cpu",
) -> Generator:
    """A generator of one stage (64 pixels) after `steps` batches; goes on from `folder`.

    `polish` more batches follow, with a new rise and fall of the learning rate. With `texts`, the
    text encoder, too, learns (in place) what its painter wants to know, at that share of the
    painter's rate: what a caption must tell is nowhere said more plainly. Raises UserError
    where the dataset has no `codes` of the kind that the config names.
    """
    _check_codes(dataset, config)
    torch.manual_seed(seed)
    network = use_transposed(Generator(replace(config, stages=1))).to(device)
    calm(network.conditioning.linear.bias, config.condition)
    learners = (dataset, vocabulary, text, config)
    network = _first(network, *learners, folder / "first", (0, 1), steps, batch, rate, seed, texts)
    if polish:
        network = _first(
            network, *learners, folder / "polish", (0.5, 1), polish, batch, rate, seed, texts
        )
    return network


def _first(
    network: Generator,
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    text: TextEncoder,
    config: GeneratorConfig,
    folder: Path,
    sharp: tuple[float, float],
    steps: int,
    batch: int,
    rate: float,
    seed: int,
    texts: float,
) -> Generator:
    """The averaged weights of one rise and fall of the learning rate, `sharp` from … to …"""
    device = network.conditioning.linear.weight.device
    learning = torch.nn.ModuleDict({"network": network.train()})
    groups = [(network.parameters(), 1.0)]
    if texts:
        learning["text"] = text.eval().requires_grad_(True)  # whose dropout would hide kinds
        groups.append((text.parameters(), texts))
    run = Optimization(learning, folder, steps, rate, STYLE, groups=groups)
    batch_shown = dataset.batch(samples.SHOWN, seed, -1)
    average = run.average.module
    run.progress.show = _painter_as_it_is(average, text, batch_shown, vocabulary, config, device)
    for seen in run.progress.batches(dataset, batch, seed):
        inputs = inputs_of(seen, vocabulary, text, config, device, learning=bool(texts))
        with bfloat16(device):
            painted = network(*inputs)
        wanted = shrink(seen.pictures, 64).to(device)
        weights = weights_of(seen, 64).to(device)
        now = sharp[0] + (sharp[1] - sharp[0]) * run.progress.share**2
        far = distance(painted.pictures[0].float(), wanted, weights, now)
        spread = divergence(painted.mu.float(), painted.logvar.float())
        run.learn(far + KL * spread, distance=far, divergence=spread)
    if texts:
        text.load_state_dict(average["text"].state_dict())
        text.eval().requires_grad_(False)
    return average["network"].eval()


def _painter_as_it_is(
    average: torch.nn.ModuleDict,
    text: TextEncoder,
    seen: Batch,
    vocabulary: Vocabulary,
    config: GeneratorConfig,
    device: torch.device,
) -> Callable[[Path], None]:
    """Writes what the averaged painter paints of the same captions, by the text encoder it has."""
    chance = torch.random.get_rng_state()

    def show(path: Path) -> None:
        with torch.random.fork_rng([]):
            torch.random.set_rng_state(chance)  # the same noise each time
            reader = average["text"] if len(average) > 1 else text
            shown = inputs_of(seen, vocabulary, reader, config, device)
            samples.paintings(average["network"], shown)(path)

    return show


def train_next(
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    text: TextEncoder,
    config: GeneratorConfig,
    earlier: Generator,
    folder: Path,
    *,
    steps: int,
    batch: int = 16,
    rate: float = 2e-3,
    seed: int = 1,
    device: str = "cpu",
) -> Generator:
    """`earlier` with one more stage, which alone learns; on parts of pictures.

    A later stage sees each place, its surroundings and the words, so that parts of the map teach
    it as well as the whole. Each picture gives PARTS of them, since the earlier stages' work for it
    is the same.
    """
    torch.manual_seed(seed)
    stages = earlier.config.stages + 1
    network = use_transposed(Generator(replace(config, stages=stages))).to(device)
    network.load_state_dict(earlier.state_dict(), strict=False)
    stage, paint = network.later[-1].train(), network.paint[-1].train()
    learning = torch.nn.ModuleDict({"stage": stage, "paint": paint})
    shown = inputs_of(dataset.batch(samples.SHOWN, seed, -1), vocabulary, text, config, device)
    show = samples.paintings(network, shown)
    run = Optimization(learning, folder, steps, rate, STYLE, show=show)
    earlier = earlier.to(device).eval()
    side = 64 * 2 ** (stages - 1)
    for seen in run.progress.batches(dataset, batch // PARTS, seed):
        z, eps, words, sentence, padding = inputs_of(seen, vocabulary, text, config, device)
        with torch.no_grad(), bfloat16(device):
            before = earlier.batched(z, eps, words, sentence, padding).features  # (B, F, S, S)
        wanted = torch.cat([shrink(seen.pictures, side), weights_of(seen, side)], dim=1).to(device)
        before, wanted = crop(before.repeat(PARTS, 1, 1, 1), wanted.repeat(PARTS, 1, 1, 1))
        with bfloat16(device):
            features, _ = stage(before, words.repeat(PARTS, 1, 1), padding.repeat(PARTS, 1))
            painted = paint(features).float()
        far = distance(painted, wanted[:, :3], wanted[:, 3:], run.progress.share)
        run.learn(far, distance=far)
    run.finish()
    return network.eval()


def train_reader(
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    text: TextEncoder,
    config: GeneratorConfig,
    earlier: Generator | None,
    number: int,
    folder: Path,
    *,
    steps: int,
    batch: int = 16,
    rate: float = 2e-3,
    seed: int = 1,
    device: str = "cpu",
) -> Generator:
    """A generator whose stage `number` (2 or more) has learnt to enlarge true pictures.

    A stage that reads the picture before it (GeneratorConfig.reads) needs no painter before it to
    learn from: it is shown true pictures at half the size, some of them a little blurred, and so
    learns edges that a painter's soft pictures would never teach it. `earlier` holds the later
    stages that have learnt before. Goes on from `folder`.
    """
    torch.manual_seed(seed)
    network = use_transposed(Generator(config)).to(device)
    if earlier is not None:
        network.load_state_dict(earlier.state_dict())
    stage, paint = network.later[number - 2].train(), network.paint[number - 1].train()
    learning = torch.nn.ModuleDict({"stage": stage, "paint": paint})
    run = Optimization(learning, folder, steps, rate, STYLE)
    side = 64 * 2 ** (number - 1)
    for seen in run.progress.batches(dataset, batch // PARTS, seed):
        _, _, words, _, padding = inputs_of(seen, vocabulary, text, config, device)
        wanted = torch.cat([shrink(seen.pictures, side), weights_of(seen, side)], dim=1).to(device)
        before = soften(shrink(wanted[:, :3], side // 2))
        before, wanted = crop(before.repeat(PARTS, 1, 1, 1), wanted.repeat(PARTS, 1, 1, 1))
        with bfloat16(device):
            seen_of_it = stage.look(before)
            features, _ = stage(seen_of_it, words.repeat(PARTS, 1, 1), padding.repeat(PARTS, 1))
            painted = paint(features).float()
        far = detail(painted, wanted[:, :3], wanted[:, 3:], *OF_TRUE_PICTURES)
        run.learn(far, distance=far)
    run.finish()
    return network.eval()


def tune(
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    text: TextEncoder,
    config: GeneratorConfig,
    network: Generator,
    folder: Path,
    *,
    steps: int,
    batch: int = 16,
    rate: float = 2e-3,
    seed: int = 1,
    device: str = "cpu",
) -> Generator:
    """The generator after its later stages have learnt from what the first one paints.

    They have seen true pictures only; the first stage, which stays as it is, has its own ways.
    Each picture gives one part, which all later stages refine in turn. Goes on from `folder`.
    """
    torch.manual_seed(seed)
    network = use_transposed(network).to(device).eval()
    later = torch.nn.ModuleDict({"later": network.later, "paint": network.paint[1:]}).train()
    run = Optimization(later, folder, steps, rate / 2, STYLE)
    shown = inputs_of(dataset.batch(samples.SHOWN, seed, -1), vocabulary, text, config, device)
    run.progress.show = samples.paintings(network, shown)
    side = 64 * 2 ** (config.stages - 1)
    for seen in run.progress.batches(dataset, batch // PARTS, seed):
        z, eps, words, sentence, padding = inputs_of(seen, vocabulary, text, config, device)
        with torch.no_grad(), bfloat16(device):
            condition, _, _ = network.conditioning(sentence, eps)
            x = network.first(as_codes(z, config.codes), condition)  # (B, F, 64, 64)
            picture = network.paint[0](x)
        wanted = torch.cat([shrink(seen.pictures, side), weights_of(seen, side)], dim=1).to(device)
        before, wanted = crop(torch.cat([x, picture], dim=1), wanted)
        x, picture = before[:, :-3], before[:, -3:]
        far = 0
        for stage, paint in zip(network.later, network.paint[1:], strict=True):
            with bfloat16(device):
                x, _ = stage(stage.look(picture, x), words, padding)
                picture = paint(x)
            true = shrink(wanted, picture.shape[-1])
            far = far + detail(picture.float(), true[:, :3], true[:, 3:], *OF_PAINTED_ONES)
        run.learn(far, distance=far)
    run.finish()
    return network.eval()


def soften(pictures: Tensor) -> Tensor:
    """Each picture (B, 3, S, S) mixed with a blurred copy of itself, by a chance of its own."""
    side = pictures.shape[-1]
    small = round(side * torch.empty(1).uniform_(0.4, 0.8).item())
    soft = F.interpolate(pictures, size=small, mode="bilinear", antialias=True)
    soft = F.interpolate(soft, size=side, mode="bicubic", align_corners=False)
    share = (torch.rand(len(pictures), 1, 1, 1, device=pictures.device) - 0.5).clamp(0) * 1.6
    return pictures + share * (soft - pictures)


def distance(painted: Tensor, wanted: Tensor, weights: Tensor, sharp: float) -> Tensor:
    """How far pictures (B, 3, S, S) are from what they should be; weights (B, 1, S, S), mean 1.

    `sharp` goes from 0 (squared differences of pixels) to 1 (absolute ones, and those of their
    slopes).
    """
    off = painted - wanted  # (B, 3, S, S)
    slopes = (off[..., 1:] - off[..., :-1]).abs() * weights[..., 1:]
    slants = (off[..., 1:, :] - off[..., :-1, :]).abs() * weights[..., 1:, :]
    edges = (off.abs() * weights).mean() + slopes.mean() + slants.mean()
    return sharp * edges + (1 - sharp) * 2 * (off.square() * weights).mean()


def detail(
    painted: Tensor, wanted: Tensor, weights: Tensor, contrast_weight: float, near: int
) -> Tensor:
    """What later stages learn by: `distance`, and how far the contrast of small parts is off.

    Where an edge may lie a pixel off, plain distance makes it soft. Contrast, the root mean square
    of the slopes in `near` x `near` pixels, asks for one as steep as it should be.
    """
    off = contrast(painted, near) - contrast(wanted, near)  # (B, 3, S / near, S / near)
    unlike = (off.abs() * F.avg_pool2d(weights, near)).mean()
    return distance(painted, wanted, weights, 1.0) + contrast_weight * unlike


def contrast(pictures: Tensor, near: int) -> Tensor:
    """How steep slopes are, part by part: (B, 3, S, S) -> (B, 3, S / near, S / near)."""
    across = F.pad(pictures[..., 1:] - pictures[..., :-1], (0, 1))
    down = F.pad(pictures[..., 1:, :] - pictures[..., :-1, :], (0, 0, 0, 1))
    return (F.avg_pool2d(across.square() + down.square(), near) + 1e-4).sqrt()


def divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """Kullback-Leibler divergence of N(mu, exp(logvar)) from N(0, 1): StackGAN, equation 2."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean()


def crop(before: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """A part of each map (B, F, S, S), PART places wide, and what is wanted of it.

    What is wanted, (B, 4, kS, kS) for a whole k, is cut to (B, 4, k * PART, k * PART).
    """
    free = before.shape[-1] - PART
    k = wanted.shape[-1] // before.shape[-1]
    corners = torch.randint(0, free + 1, (len(before), 2)).tolist()
    maps = [x[:, y : y + PART, x0 : x0 + PART] for x, (y, x0) in zip(before, corners, strict=True)]
    parts = [
        x[:, k * y : k * (y + PART), k * x0 : k * (x0 + PART)]
        for x, (y, x0) in zip(wanted, corners, strict=True)
    ]
    return torch.stack(maps), torch.stack(parts)


def inputs_of(
    seen: Batch,
    vocabulary: Vocabulary,
    text: TextEncoder,
    config: GeneratorConfig,
    device: torch.device | str,
    *,
    learning: bool = False,
) -> tuple[Tensor, ...]:
    """z, eps, words, sentence and padding of a batch, as Generator wants them.

    Where the records have codes, z says them. With `learning`, the text encoder can be taught by
    what becomes of its words and sentences.
    """
    if "codes" in seen.records[0]:
        codes = torch.tensor([record["codes"] for record in seen.records])
        z = noise_for(codes, config.codes, config.noise)
    else:
        z = torch.randn(len(seen.records), config.noise)
    eps = torch.randn(len(z), config.condition)
    ids, lengths = word_ids(seen.captions, vocabulary)
    with torch.set_grad_enabled(learning):
        words, sentence = text.batched(ids.to(device), lengths)
    padding = padding_of(lengths, ids.shape[1]).to(device)
    return z.to(device), eps.to(device), words, sentence, padding


def weights_of(seen: Batch, side: int) -> Tensor:
    """(B, 1, side, side): more where the objects' boxes are, and 1 in the mean of each picture."""
    weights = torch.ones(len(seen.records), 1, side, side)
    for plane, record in zip(weights, seen.records, strict=True):
        for box in record.get("boxes", []):
            left, top, right, bottom = (round(edge * side) for edge in box)
            plane[:, top:bottom, left:right] = 1 + OBJECTS
    return weights / weights.mean(dim=(2, 3), keepdim=True)


def shrink(pictures: Tensor, side: int) -> Tensor:
    """Pictures (B, 3, S, S) at a smaller side, each pixel the mean of what it covers."""
    if pictures.shape[-1] == side:
        return pictures
    return F.interpolate(pictures, size=side, mode="area")


def calm(bias: Tensor, condition: int) -> None:
    """Set the bias (4C,) of Conditioning's gated linear layer so that it adds little noise."""
    with torch.no_grad():
        bias[condition : 2 * condition] = CALM  # values of the log variance
        bias[3 * condition :] = 3.0  # their gates, open


def _check_codes(dataset: CaptionedPictures, config: GeneratorConfig) -> None:
    if any(len(record.get("codes", ())) != len(config.codes) for record in dataset.records):
        raise UserError(
            f"{dataset.folder}: this training needs {len(config.codes)} `codes` for every picture."
        )
