"""Teaches a painter stage by stage from pictures whose layout is known (see known_noise).

With known noise every (caption, noise) has one right picture, so each stage learns by plain
distance, which turns from squares to absolute differences of pixels and of their slopes: squares
see where something is before its shape is known (the median of a small thing in many places is no
thing at all), absolute differences make it sharp.
"""

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from scripts.attngan.generator import Generator, GeneratorConfig
from scripts.attngan.quick import quicken
from scripts.attngan.text_encoder import TextEncoder
from scripts.errors import UserError
from scripts.training import samples
from scripts.training.damsm import numbered, padding_of
from scripts.training.dataset import Batch, CaptionedPictures
from scripts.training.half import half
from scripts.training.known_noise import noise_for
from scripts.training.progress import Progress
from scripts.words import Vocabulary

OBJECTS = 10.0  # how much more a pixel inside an object's box counts
KL = 1e-4  # weight of the conditioning augmentation's divergence
CALM = -6.0  # where its log variance begins: at 0, noise drowns the caption for thousands of steps
PART = 32  # places: the side of the parts that later stages learn from
PARTS = 2  # of each picture
AVERAGE = 0.995  # of the weights that are kept, per step


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
    seed: int = 1,
    device: str = "cpu",
) -> Generator:
    """A generator of one stage (64 pixels) after `steps` batches; goes on from `folder`.

    `polish` more batches follow, with a new rise and fall of the learning rate. Raises UserError
    where the dataset has no `codes` of the kind that the config names.
    """
    _check_codes(dataset, config)
    torch.manual_seed(seed)
    network = quicken(Generator(replace(config, stages=1))).to(device)
    calm(network.conditioning.linear.bias, config.condition)
    learners = (dataset, vocabulary, text, config)
    network = _first(network, *learners, folder / "first", (0, 1), steps, batch, rate, seed)
    if polish:
        network = _first(network, *learners, folder / "polish", (0.5, 1), polish, batch, rate, seed)
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
) -> Generator:
    """The averaged weights of one rise and fall of the learning rate, `sharp` from … to …"""
    device = network.conditioning.linear.weight.device
    average = averaged(network.train())
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.05)
    parts = {"network": network, "average": average, "optimizer": optimizer, "schedule": schedule}
    shown = inputs_of(dataset.batch(samples.SHOWN, seed, -1), vocabulary, text, config, device)
    show = samples.paintings(average.module, shown)
    progress = Progress(folder, parts, steps, show=show)
    for seen in progress.batches(dataset, batch, seed):
        inputs = inputs_of(seen, vocabulary, text, config, device)
        with half(device):
            painted = network(*inputs)
        wanted = shrink(seen.pictures, 64).to(device)
        weights = weights_of(seen, 64).to(device)
        now = sharp[0] + (sharp[1] - sharp[0]) * progress.share**2
        far = distance(painted.pictures[0].float(), wanted, weights, now)
        spread = divergence(painted.mu.float(), painted.logvar.float())
        _step(far + KL * spread, network, optimizer, schedule)
        average.update_parameters(network)
        progress.log(distance=far, divergence=spread)
    return average.module.eval()


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
    network = quicken(Generator(replace(config, stages=stages))).to(device)
    network.load_state_dict(earlier.state_dict(), strict=False)
    stage, paint = network.later[-1].train(), network.paint[-1].train()
    learning = torch.nn.ModuleDict({"stage": stage, "paint": paint})
    average = averaged(learning)
    optimizer = torch.optim.AdamW(learning.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.05)
    parts = {"learning": learning, "average": average, "optimizer": optimizer, "schedule": schedule}
    shown = inputs_of(dataset.batch(samples.SHOWN, seed, -1), vocabulary, text, config, device)
    progress = Progress(folder, parts, steps, show=samples.paintings(network, shown))
    earlier = earlier.to(device).eval()
    side = 64 * 2 ** (stages - 1)
    for seen in progress.batches(dataset, batch // PARTS, seed):
        z, eps, words, sentence, padding = inputs_of(seen, vocabulary, text, config, device)
        with torch.no_grad(), half(device):
            before = earlier.together(z, eps, words, sentence, padding).features  # (B, F, S, S)
        wanted = torch.cat([shrink(seen.pictures, side), weights_of(seen, side)], dim=1).to(device)
        before, wanted = crop(before.repeat(PARTS, 1, 1, 1), wanted.repeat(PARTS, 1, 1, 1))
        with half(device):
            features, _ = stage(before, words.repeat(PARTS, 1, 1), padding.repeat(PARTS, 1))
            painted = paint(features).float()
        far = distance(painted, wanted[:, :3], wanted[:, 3:], progress.share)
        _step(far, learning, optimizer, schedule)
        average.update_parameters(learning)
        progress.log(distance=far)
    stage.load_state_dict(average.module["stage"].state_dict())
    paint.load_state_dict(average.module["paint"].state_dict())
    return network.eval()


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


def divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """Kullback-Leibler divergence of N(mu, exp(logvar)) from N(0, 1): StackGAN, equation 2."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean()


def crop(before: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """A part of each map (B, F, S, S), PART places wide, and what is wanted of it.

    What is wanted, (B, 4, 2S, 2S), is cut to (B, 4, 2 * PART, 2 * PART).
    """
    free = before.shape[-1] - PART
    corners = torch.randint(0, free + 1, (len(before), 2)).tolist()
    maps = [x[:, y : y + PART, x0 : x0 + PART] for x, (y, x0) in zip(before, corners, strict=True)]
    parts = [
        x[:, 2 * y : 2 * (y + PART), 2 * x0 : 2 * (x0 + PART)]
        for x, (y, x0) in zip(wanted, corners, strict=True)
    ]
    return torch.stack(maps), torch.stack(parts)


def inputs_of(
    seen: Batch,
    vocabulary: Vocabulary,
    text: TextEncoder,
    config: GeneratorConfig,
    device: torch.device | str,
) -> tuple[Tensor, ...]:
    """z, eps, words, sentence and padding of a batch, as Generator wants them.

    Where the records have codes, z says them.
    """
    if "codes" in seen.records[0]:
        codes = torch.tensor([record["codes"] for record in seen.records])
        z = noise_for(codes, config.codes, config.noise)
    else:
        z = torch.randn(len(seen.records), config.noise)
    eps = torch.randn(len(z), config.condition)
    ids, lengths = numbered(seen.captions, vocabulary)
    with torch.no_grad():
        words, sentence = text.together(ids.to(device), lengths)
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


def averaged(network: torch.nn.Module, decay: float = AVERAGE) -> AveragedModel:
    """Running averages of a network's weights and of its batch norms' statistics."""
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def _step(loss: Tensor, network: torch.nn.Module, optimizer, schedule) -> None:
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    schedule.step()


def _check_codes(dataset: CaptionedPictures, config: GeneratorConfig) -> None:
    if any(len(record.get("codes", ())) != len(config.codes) for record in dataset.records):
        raise UserError(
            f"{dataset.folder}: this training needs {len(config.codes)} `codes` for every picture."
        )
