"""Teaches a captioner by teacher forcing: each word is guessed from the right ones before it."""

import random
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.attngan.image_encoder import ImageEncoder
from scripts.captioner.network import MEAN, STD, Captioner, CaptionerConfig, pack_words
from scripts.errors import UserError
from scripts.training import samples
from scripts.training.augment import augment
from scripts.training.dataset import CaptionedPictures
from scripts.training.optimization import Optimization, Style
from scripts.training.vocabulary import captioner_tokens
from scripts.words import Vocabulary

PAD, START, END, UNKNOWN = range(4)
ENOUGH = 6_000  # pictures to learn to speak from
LOOK_AT = 64  # pictures at once
STYLE = Style(clip=5.0)


def train(
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    config: CaptionerConfig,
    folder: Path,
    *,
    steps: tuple[int, int],
    batch: int = 32,
    rate: float = 1e-3,
    eyes: float = 1.0,
    fixed: int = 0,
    words: float = 0.0,
    seed: int = 1,
    device: str = "cpu",
    seen_before: dict[str, Tensor],
) -> Captioner:
    """A captioner that begins with the eyes of an image encoder (its state, `seen_before`).

    In the first `steps` batches it learns to speak while its eyes stay as they are, so that each
    picture is looked at only once; in the second ones all of it learns, its eyes at the share
    `eyes` of the rate, but for its first `fixed` layers. With a weight of `words`, its eyes also
    learn which words a caption contains, in any order (Fang et al. 2015, arXiv 1411.4952): a
    shorter way to learn what matters. Goes on from what `folder` holds. Raises UserError if
    captioner and image encoder have different backbones.
    """
    torch.manual_seed(seed)
    network = Captioner(config)
    borrow_eyes(network, seen_before)
    network.to(device, memory_format=torch.channels_last)
    train_by_teacher_forcing(
        network, dataset, vocabulary, folder / "speak", steps[0], 2 * batch, 3 * rate
    )
    torch.manual_seed(seed)
    network.train()
    show = samples.captions(
        describer(network, vocabulary), dataset.batch(samples.SHOWN, seed, -1).pictures.to(device)
    )
    hold(network, fixed)
    encoder = network.encoder
    detector = nn.Linear(encoder.linear.in_features, config.vocabulary, device=device)
    learning = nn.ModuleDict({"network": network, "detector": detector}) if words else network
    run = _begin(learning, folder / "whole", steps[1], rate, show, eyes)
    for seen in run.progress.batches(dataset, batch, seed):
        hold(network, fixed)
        pictures = normalise(augment(seen.pictures)).to(device, memory_format=torch.channels_last)
        ids, lengths = target_ids(seen.captions, vocabulary, config.max_words)
        ids = ids.to(device)
        looked = encoder.backbone(pictures)
        features = encoder.norm(encoder.linear(looked))
        loss = teacher_forcing(network, features, ids, lengths)
        if words:
            loss = loss + words * missed_words(detector(looked), ids)
        run.learn(loss)
    return network.eval()


def missed_words(logits: Tensor, ids: Tensor) -> Tensor:
    """How badly words are detected: cross entropy of each word's presence, summed, of one caption.

    logits (B, V); ids of the captions' words (B, T), filled up with PAD.
    """
    present = torch.zeros_like(logits).scatter_(1, ids, 1.0)
    off = F.binary_cross_entropy_with_logits(logits, present, reduction="none")
    return off[:, UNKNOWN + 1 :].sum(dim=1).mean()


def refine(
    network: Captioner,
    dataset: CaptionedPictures,
    paintings: CaptionedPictures,
    vocabulary: Vocabulary,
    folder: Path,
    *,
    steps: int,
    batch: int = 32,
    rate: float = 1e-3,
    eyes: float = 1.0,
    fixed: int = 0,
    seed: int = 2,
) -> Captioner:
    """The captioner after `steps` more batches, one half of each the painter's own pictures.

    What a painter is unsure of looks like nothing in the dataset; whoever describes its pictures
    must have seen some. Goes on from what `folder` holds.
    """
    torch.manual_seed(seed)
    device = network.decoder.linear.weight.device
    network.to(memory_format=torch.channels_last).train()
    shown = paintings.batch(samples.SHOWN, seed, -1).pictures.to(device)
    show = samples.captions(describer(network, vocabulary), shown)
    hold(network, fixed)
    run = _begin(network, folder, steps, rate, show, eyes)
    painted_batch = batch // 2
    for seen in run.progress.batches(dataset, batch - painted_batch, seed):
        hold(network, fixed)
        painted = paintings.batch(painted_batch, seed, run.progress.step)
        pictures = augment(torch.cat([seen.pictures, painted.pictures]))
        pictures = normalise(pictures).to(device, memory_format=torch.channels_last)
        told = seen.captions + painted.captions
        ids, lengths = target_ids(told, vocabulary, network.config.max_words)
        run.learn(teacher_forcing(network, network.encoder(pictures), ids.to(device), lengths))
    return network.eval()


def hold(network: Captioner, fixed: int) -> None:
    """Leave the first layers of a captioner's eyes, and their norms' statistics, as they are."""
    if fixed:
        network.encoder.backbone.features[:fixed].eval().requires_grad_(False)


def train_by_teacher_forcing(
    network: Captioner,
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    folder: Path,
    steps: int,
    batch: int,
    rate: float,
) -> None:
    """Teach all but the backbone, from what the backbone sees of up to ENOUGH pictures."""
    encoder, device = network.encoder, network.encoder.linear.weight.device
    speaker = nn.ModuleDict({"linear": encoder.linear, "norm": encoder.norm})
    speaker["decoder"] = network.decoder
    run = _begin(speaker, folder, steps, rate)
    if run.progress.step == steps:
        return
    number = min(len(dataset), ENOUGH)
    views = look(network.eval(), dataset, number, device)  # (N, backbone's features)
    speaker.train()
    for step in run.progress.steps_left():
        chance = random.Random(step)  # the same batch, whether the training job was killed or not
        indices = [chance.randrange(number) for _ in range(batch)]
        told = [chance.choice(dataset.records[index]["captions"]) for index in indices]
        ids, lengths = target_ids(told, vocabulary, network.config.max_words)
        features = encoder.norm(encoder.linear(views[indices]))
        run.learn(teacher_forcing(network, features, ids.to(device), lengths))


@torch.no_grad()
def look(network: Captioner, dataset: CaptionedPictures, number: int, device: object) -> Tensor:
    """What the backbone sees of the first `number` pictures, each spoilt once: (number, F)."""
    views = []
    for first in range(0, number, LOOK_AT):
        indices = list(range(first, min(first + LOOK_AT, number)))
        pictures = normalise(augment(dataset.pictures(indices)))
        pictures = pictures.to(device, memory_format=torch.channels_last)
        views.append(network.encoder.backbone(pictures))
    return torch.cat(views)


def _begin(
    modules: nn.Module,
    folder: Path,
    steps: int,
    rate: float,
    show: Callable[[Path], None] | None = None,
    eyes: float = 1.0,
) -> Optimization:
    """The backbone, if there is one among the modules, learns at the share `eyes` of the rate."""
    slow = [p for name, p in modules.named_parameters() if ".backbone." in name and p.requires_grad]
    fast = [p for name, p in modules.named_parameters() if ".backbone." not in name]
    groups = [(fast, 1.0), (slow, eyes)]
    return Optimization(modules, folder, steps, rate, STYLE, groups=groups, show=show)


def describer(network: Captioner, vocabulary: Vocabulary) -> Callable[[Tensor], list[str]]:
    """From pictures (B, 3, S, S) in [-1, 1] to what the captioner says of them."""

    def describe(pictures: Tensor) -> list[str]:
        if pictures.shape[-1] != network.config.size:
            pictures = F.interpolate(pictures, size=network.config.size, mode="area")
        learning = network.training
        rows = network.eval().describe(normalise(pictures)).tolist()
        network.train(learning)
        sentences = (" ".join(vocabulary.spell(row)) for row in rows)
        return [said.partition("<end>")[0].replace("<start>", "").strip() for said in sentences]

    return describe


def borrow_eyes(network: Captioner, image_encoder: dict[str, Tensor]) -> None:
    """Copy the layers that an image encoder (its state) and a captioner have in common.

    It may be the state of a backbone alone, too. Raises UserError if they have none.
    """
    own = network.encoder.backbone.state_dict()
    common = {}
    for name, tensor in image_encoder.items():
        layer = name.removeprefix("backbone.")
        for place in (layer, f"features.{layer}"):
            if place in own:
                common[place] = tensor
    if not common:
        raise UserError("captioner and image_encoder must have the same backbone to share it.")
    network.encoder.backbone.load_state_dict(common, strict=False)


def lend_eyes(network: dict[str, Tensor], image_encoder: ImageEncoder) -> None:
    """The way back: copy the eyes of a captioner (its state) into an image encoder.

    Raises UserError if they are not of one kind.
    """
    own = image_encoder.backbone.state_dict()
    common = {}
    for name, tensor in network.items():
        layer = name.removeprefix("encoder.backbone.").removeprefix("features.")
        if layer in own:
            common[layer] = tensor
    if len(common) < len(own):
        raise UserError("captioner and image_encoder must have the same backbone to share it.")
    image_encoder.backbone.load_state_dict(common)
    _normalise_within(image_encoder.backbone)


@torch.no_grad()
def _normalise_within(eyes: nn.Module) -> None:
    """Have the first convolution do what `normalise` does before a captioner.

    (But for what lies beyond a picture's edge, which is 0 to both.) What it adds goes to the
    convolution's bias or, if it has none, off the mean of the batch norm behind it.
    """
    layers = [part for part in eyes.modules() if isinstance(part, nn.Conv2d | nn.BatchNorm2d)]
    conv, norm = layers[:2]
    black = normalise(torch.full((1, 3, 1, 1), -1.0))[0]  # (3, 1, 1)
    grey = normalise(torch.zeros(1, 3, 1, 1))[0]
    added = (conv.weight * grey).sum(dim=(1, 2, 3))
    conv.weight.mul_(grey - black)
    if conv.bias is not None:
        conv.bias.add_(added)
    else:
        norm.running_mean.sub_(added)


def teacher_forcing(network: Captioner, features: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
    """Mean cross entropy of captions (B, T) of `lengths` (B,) words, given features (B, E)."""
    return F.cross_entropy(network.decoder(features, ids, lengths), pack_words(ids, lengths))


def normalise(pictures: Tensor) -> Tensor:
    """From [-1, 1] to what backbones expect: ImageNet's mean and deviation."""
    mean = pictures.new_tensor(MEAN)[:, None, None]
    deviation = pictures.new_tensor(STD)[:, None, None]
    return ((pictures + 1) / 2 - mean) / deviation


def target_ids(captions: list[str], vocabulary: Vocabulary, most: int) -> tuple[Tensor, Tensor]:
    """Word ids (B, T) with start and end, padded, and their lengths (B,)."""
    rows = []
    for caption in captions:
        words = [vocabulary.index.get(word, UNKNOWN) for word in captioner_tokens(caption)]
        rows.append(torch.tensor([START, *words, END][:most]))
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD), lengths
