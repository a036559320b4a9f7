"""Teaches a captioner by teacher forcing: each word is guessed from the right ones before it."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.captioner.network import MEAN, STD, Captioner, CaptionerConfig, packed
from scripts.errors import UserError
from scripts.training.augment import spoil
from scripts.training.dataset import CaptionedPictures
from scripts.training.progress import Progress
from scripts.training.vocabulary import captioner_tokens
from scripts.words import Vocabulary

PAD, START, END, UNKNOWN = range(4)


def train(
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    config: CaptionerConfig,
    folder: Path,
    *,
    steps: int,
    batch: int = 32,
    rate: float = 1e-3,
    seed: int = 1,
    device: str = "cpu",
    seen_before: dict[str, Tensor] | None = None,
) -> Captioner:
    """A captioner that has seen `steps` batches; goes on from what `folder` holds.

    `seen_before` is the state of an image encoder of the same backbone: to begin with its eyes is
    several times quicker than to learn to see from a few words in each sentence.
    """
    torch.manual_seed(seed)
    network = Captioner(config)
    if seen_before:
        borrow_eyes(network, seen_before)
    network.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    parts = {"network": network, "optimizer": optimizer, "schedule": schedule}
    progress = Progress(folder, parts, steps)
    for seen in progress.batches(dataset, batch, seed):
        pictures = normalise(spoil(seen.pictures)).to(device, memory_format=torch.channels_last)
        ids, lengths = numbered(seen.captions, vocabulary, config.max_words)
        loss = teacher_forcing(network, pictures, ids.to(device), lengths)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        progress.log(loss=loss)
    return network.eval()


def borrow_eyes(network: Captioner, image_encoder: dict[str, Tensor]) -> None:
    """Copy the layers that an image encoder (its state) and a captioner have in common.

    Raises UserError if they have none.
    """
    own = network.encoder.backbone.state_dict()
    common = {}
    for name, tensor in image_encoder.items():
        layer = name.removeprefix("backbone.")
        for place in (layer, f"features.{layer}"):
            if layer != name and place in own:
                common[place] = tensor
    if not common:
        raise UserError("captioner and image_encoder must have the same backbone to share it.")
    network.encoder.backbone.load_state_dict(common, strict=False)


def teacher_forcing(network: Captioner, pictures: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
    """Mean cross entropy of the words of captions (B, T) of `lengths` (B,) words."""
    return F.cross_entropy(network(pictures, ids, lengths), packed(ids, lengths))


def normalise(pictures: Tensor) -> Tensor:
    """From [-1, 1] to what backbones expect: ImageNet's mean and deviation."""
    mean = pictures.new_tensor(MEAN)[:, None, None]
    deviation = pictures.new_tensor(STD)[:, None, None]
    return ((pictures + 1) / 2 - mean) / deviation


def numbered(captions: list[str], vocabulary: Vocabulary, most: int) -> tuple[Tensor, Tensor]:
    """Word ids (B, T) with start and end, padded, and their lengths (B,)."""
    rows = []
    for caption in captions:
        words = [vocabulary.index.get(word, UNKNOWN) for word in captioner_tokens(caption)]
        rows.append(torch.tensor([START, *words, END][:most]))
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD), lengths
