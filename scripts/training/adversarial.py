"""Teaches a painter as AttnGAN learns: against discriminators, and to match its captions.

Xu et al. 2018 (arXiv 1711.10485), sections 3.1 and 3.2: at every stage a discriminator tells
painted pictures from real ones, alone (unconditional) and beside the caption (conditional); the
DAMSM's word and sentence losses hold the last picture to the caption. It needs captioned pictures
and nothing else. Where the layout of a picture is known (see known_noise) and a painter begins with
what it learnt from that, `anchor` keeps it there.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.attngan.damsm import sentence_loss, words_loss
from scripts.attngan.discriminator import Discriminator
from scripts.attngan.generator import Generator, GeneratorConfig
from scripts.attngan.image_encoder import ImageEncoder
from scripts.attngan.text_encoder import TextEncoder
from scripts.attngan.transposed import use_transposed
from scripts.training import samples
from scripts.training.dataset import Batch, CaptionedPictures
from scripts.training.optimization import averaged
from scripts.training.painter import (
    calm,
    distance,
    divergence,
    inputs_of,
    shrink,
    weights_of,
)
from scripts.training.precision import bfloat16
from scripts.training.progress import Progress
from scripts.words import Vocabulary

MARGIN = 76 / 64  # pictures are this much larger than what is cut out of them at random
BETAS = (0.5, 0.999)  # of Adam, usual for GANs (Radford et al. 2016)


@dataclass(frozen=True)
class Budget:
    """How long and how hard a painter learns."""

    steps: int
    batch: int = 16
    rate: float = 2e-4
    width: int = 96  # of the discriminators
    matching: float = 5.0  # lambda, the weight of the DAMSM's losses: 5 for birds, 50 for COCO
    anchor: float = 0.0  # weight of the distance to the known picture; needs `codes`
    average: float = 0.999  # of the weights that are kept, per step


def side_of(config: GeneratorConfig) -> int:
    """Pixels to which a dataset's pictures are brought, so that a last picture can be cut out."""
    return round(64 * 2 ** (config.stages - 1) * MARGIN)


def train(
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    text: TextEncoder,
    eyes: ImageEncoder,
    config: GeneratorConfig,
    folder: Path,
    budget: Budget,
    *,
    start: Generator | None = None,
    seed: int = 1,
    device: str = "cpu",
) -> Generator:
    """A generator with the averaged weights of `budget.steps` batches; goes on from `folder`.

    `text` and `eyes` are the DAMSM's encoders; they stay as they are. `start` is a generator to
    begin with. Pictures of the dataset are cut and mirrored at random, unless they are to be
    painted just so (`anchor`).
    """
    torch.manual_seed(seed)
    network = use_transposed(Generator(config))
    calm(network.conditioning.linear.bias, config.condition)
    if start is not None:
        network.load_state_dict(start.state_dict())
    network.to(device).train()
    judges = nn.ModuleList(
        Discriminator(64 * 2**stage, width=budget.width, sentence=config.sentence)
        for stage in range(config.stages)
    )
    judges.to(device).train()
    eyes = eyes.to(device).eval().requires_grad_(False)
    average = averaged(network, budget.average)
    painting = torch.optim.Adam(network.parameters(), lr=budget.rate, betas=BETAS)
    judging = torch.optim.Adam(judges.parameters(), lr=budget.rate, betas=BETAS)
    parts = {
        "network": network, "average": average, "painting": painting,
        "judges": judges, "judging": judging,
    }  # fmt: skip
    shown = inputs_of(dataset.batch(samples.SHOWN, seed, -1), vocabulary, text, config, device)
    show = samples.paintings(average.module, shown)
    progress = Progress(folder, parts, budget.steps, show=show)
    for seen in progress.batches(dataset, budget.batch, seed):
        inputs = inputs_of(seen, vocabulary, text, config, device)
        _, _, words, sentence, padding = inputs
        largest = 64 * 2 ** (config.stages - 1)
        real = seen.pictures if budget.anchor else cut(seen.pictures, largest)
        real = [shrink(real, 64 * 2**stage).to(device) for stage in range(config.stages)]
        with bfloat16(device):
            painted = network(*inputs)
            false_ones = [picture.float() for picture in painted.pictures]
            judged = sum(
                judging_loss(judge, true, false.detach(), sentence)
                for judge, true, false in zip(judges, real, false_ones, strict=True)
            )
        judging.zero_grad()
        judged.backward()
        judging.step()

        judges.requires_grad_(False)
        with bfloat16(device):
            fooled = sum(
                painting_loss(judge, false, sentence)
                for judge, false in zip(judges, false_ones, strict=True)
            )
        regions, whole = eyes(false_ones[-1])
        same = identity(seen).to(device)
        matched = words_loss(regions, words, padding, same) + sentence_loss(whole, sentence, same)
        spread = divergence(painted.mu.float(), painted.logvar.float())
        loss = fooled + budget.matching * matched + spread
        if budget.anchor:
            for true, false in zip(real, false_ones, strict=True):
                weights = weights_of(seen, true.shape[-1]).to(device)
                loss = loss + budget.anchor * distance(false, true, weights, 1.0)
        progress.log(judges=judged, fooled=fooled, matching=matched, divergence=spread)
        painting.zero_grad()
        loss.backward()
        painting.step()
        judges.requires_grad_(True)
        average.update_parameters(network)
    return average.module.eval()


def judging_loss(judge: Discriminator, real: Tensor, painted: Tensor, sentence: Tensor) -> Tensor:
    """Equation 5, with a picture beside another one's caption as a third kind of fake.

    Pictures (B, 3, S, S), sentences (B, D); a scalar.
    """
    true, false = judge(real), judge(painted)
    wrong = judge.conditional(true[:-1], sentence[1:])
    good = (_says(judge.conditional(true, sentence), 1) + _says(judge.unconditional(true), 1)) / 2
    bad = (
        _says(judge.conditional(false, sentence), 0)
        + _says(judge.unconditional(false), 0)
        + _says(wrong, 0)
    ) / 3
    return good + bad


def painting_loss(judge: Discriminator, painted: Tensor, sentence: Tensor) -> Tensor:
    """Equation 4, but for its factor of a half: how badly a judge is fooled."""
    features = judge(painted)
    alone = _says(judge.unconditional(features), 1)
    return _says(judge.conditional(features, sentence), 1) + alone


def _says(logits: Tensor, answer: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(
        logits.float(), torch.full_like(logits, answer).float()
    )


def cut(pictures: Tensor, side: int) -> Tensor:
    """A random square of each picture, mirrored or not: (B, 3, side, side)."""
    free = pictures.shape[-1] - side
    corners = torch.randint(0, free + 1, (len(pictures), 2)).tolist()
    parts = [
        picture[:, y : y + side, x : x + side]
        for picture, (y, x) in zip(pictures, corners, strict=True)
    ]
    mirrored = torch.rand(len(pictures), 1, 1, 1) < 0.5
    parts = torch.stack(parts)
    return torch.where(mirrored, parts.flip(3), parts)


def identity(seen: Batch) -> Tensor:
    """(B,): the same number for the same picture, which a batch may hold twice."""
    names = [record["picture"] for record in seen.records]
    return torch.tensor([names.index(name) for name in names])
