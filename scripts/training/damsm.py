"""Teaches a text and an image encoder to meet: the deep attentional multimodal similarity model."""

from pathlib import Path

import torch
from torch import Tensor, nn

from scripts.attngan.damsm import sentence_loss, similarity, words_loss
from scripts.attngan.image_encoder import ImageEncoder, ImageEncoderConfig
from scripts.attngan.text_encoder import TextEncoder, TextEncoderConfig
from scripts.training import samples
from scripts.training.augment import spoil
from scripts.training.dataset import CaptionedPictures
from scripts.training.progress import Progress
from scripts.words import Vocabulary, tokenize


def train(
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    text: TextEncoderConfig,
    image: ImageEncoderConfig,
    folder: Path,
    *,
    steps: int,
    batch: int = 48,
    rate: float = 1e-3,
    seed: int = 1,
    device: str = "cpu",
) -> tuple[TextEncoder, ImageEncoder]:
    """Both encoders after `steps` batches; goes on from what `folder` holds."""
    torch.manual_seed(seed)
    encoders = nn.ModuleDict({"text": TextEncoder(text), "image": ImageEncoder(image)})
    encoders.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(encoders.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    parts = {"encoders": encoders, "optimizer": optimizer, "schedule": schedule}
    shown = dataset.batch(batch, seed, -1)

    def similar() -> Tensor:
        encoders.eval()
        with torch.inference_mode():
            _, sentence = encoders["text"](*_on(device, numbered(shown.captions, vocabulary)))
            near = similarity(encoders["image"](shown.pictures.to(device))[1], sentence)
        encoders.train()
        return near.cpu()

    progress = Progress(folder, parts, steps, show=samples.matches(similar))
    for seen in progress.batches(dataset, batch, seed):
        pictures = spoil(seen.pictures).to(device, memory_format=torch.channels_last)
        ids, lengths = numbered(seen.captions, vocabulary)
        words, sentence = encoders["text"](ids.to(device), lengths)
        regions, whole = encoders["image"](pictures)
        by_word = words_loss(regions, words, padding_of(lengths, ids.shape[1]).to(device))
        by_sentence = sentence_loss(whole, sentence)
        optimizer.zero_grad()
        (by_word + by_sentence).backward()
        torch.nn.utils.clip_grad_norm_(encoders.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        progress.log(words=by_word, sentence=by_sentence)
    encoders.eval()
    return encoders["text"], encoders["image"]


def _on(device: str, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Ids on the device; their lengths stay where recurrent networks want them."""
    return pair[0].to(device), pair[1]


def numbered(captions: list[str], vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """Word ids (B, T), padded with 0, and their lengths (B,); unknown words are left out."""
    rows = []
    for caption in captions:
        known = [vocabulary.index[word] for word in tokenize(caption) if word in vocabulary.index]
        rows.append(torch.tensor(known or [0]))
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths


def padding_of(lengths: Tensor, longest: int) -> Tensor:
    """True where a caption has no word: (B, T)."""
    return torch.arange(longest) >= lengths[:, None]
