"""Teaches a text and an image encoder to meet: the deep attentional multimodal similarity model.

It is taught twice. At first all of it learns: that makes eyes, with which a captioner begins, but
sentences that hardly tell one kind of thing from another. The captioner's eyes see more. With
those, which stay as they are (as the paper's Inception does), texts are learnt anew.
"""

import random
from pathlib import Path

import torch
from torch import Tensor, nn

from scripts.attngan.damsm import sentence_loss, similarity, words_loss
from scripts.attngan.image_encoder import ImageEncoder, ImageEncoderConfig
from scripts.attngan.text_encoder import TextEncoder, TextEncoderConfig
from scripts.training import samples
from scripts.training.augment import augment
from scripts.training.dataset import Batch, CaptionedPictures
from scripts.training.optimization import Optimization, Style
from scripts.words import Vocabulary, tokenize

ENOUGH = 8_000  # pictures to learn texts beside, if
MEMORY = 4 << 30  # bytes hold what the eyes see of them
LOOK_AT = 50  # pictures at once
STYLE = Style()
COMPARED = 48  # pairs of a batch, at most, whose words are compared: time grows with their square


def train_backbone(
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
) -> ImageEncoder:
    """An image encoder that learnt from nothing in `steps` batches; goes on from `folder`."""
    torch.manual_seed(seed)
    encoders = _Encoders(TextEncoder(text), ImageEncoder(image), vocabulary)
    encoders.to(device, memory_format=torch.channels_last).train()
    run = _Run(encoders, encoders, rate, steps, folder, dataset.batch(batch, seed, -1))
    for seen in run.progress.batches(dataset, batch, seed):
        pictures = augment(seen.pictures).to(device, memory_format=torch.channels_last)
        run.learn(*encoders.image(pictures), seen.captions)
    return encoders.image.eval()


def train_text_encoder(
    eyes: ImageEncoder,
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    config: TextEncoderConfig,
    folder: Path,
    *,
    steps: int,
    batch: int = 128,
    rate: float = 1e-3,
    seed: int = 1,
) -> tuple[TextEncoder, ImageEncoder]:
    """A text encoder, and `eyes` whose last layers learnt with it, after `steps` batches.

    Since the backbone stays as it is, each picture is looked at only once, and batches may be
    large: the more wrong captions there are, the finer is what must be told apart. Goes on from
    what `folder` holds.
    """
    torch.manual_seed(seed)
    device = eyes.whole.weight.device
    encoders = _Encoders(TextEncoder(config), eyes.eval(), vocabulary).to(device)
    learning = nn.ModuleList([encoders.text.train(), eyes.regions, eyes.whole])
    run = _Run(encoders, learning, rate, steps, folder, dataset.batch(batch, seed, -1))
    _learn_from_views(run, eyes, dataset, steps, batch, seed)
    return encoders.text.eval(), eyes


def train_image_encoder(
    eyes: ImageEncoder,
    text: TextEncoder,
    dataset: CaptionedPictures,
    vocabulary: Vocabulary,
    folder: Path,
    *,
    steps: int,
    batch: int = 128,
    rate: float = 1e-3,
    seed: int = 1,
) -> ImageEncoder:
    """`eyes` whose last layers learnt anew beside texts that stay as they are.

    Where a painter has changed the text encoder, pictures must find their captions again.
    """
    torch.manual_seed(seed)
    device = eyes.whole.weight.device
    encoders = _Encoders(text.eval(), eyes.eval(), vocabulary).to(device)
    learning = nn.ModuleList([eyes.regions, eyes.whole])
    run = _Run(encoders, learning, rate, steps, folder, dataset.batch(batch, seed, -1))
    _learn_from_views(run, eyes, dataset, steps, batch, seed)
    return eyes


def _learn_from_views(
    run: "_Run", eyes: ImageEncoder, dataset: CaptionedPictures, steps: int, batch: int, seed: int
) -> None:
    if run.progress.step < steps:
        middle, last = look(eyes, dataset)
    for step in run.progress.steps_left():
        chance = random.Random(f"{seed}/{step}")  # the same batch, killed or not
        indices = [chance.randrange(len(last)) for _ in range(batch)]
        told = [chance.choice(dataset.records[index]["captions"]) for index in indices]
        run.learn(eyes.regions(middle[indices]), eyes.whole(last[indices]), told)


@torch.no_grad()
def look(eyes: ImageEncoder, dataset: CaptionedPictures) -> tuple[Tensor, Tensor]:
    """What the backbone sees of the first N pictures, each spoilt once.

    The map of their regions, (N, channels, h, w), and the mean of the last one, (N, channels).
    """
    views: list[tuple[Tensor, Tensor]] = []
    for first in range(0, min(len(dataset), ENOUGH), LOOK_AT):
        pictures = augment(dataset.pictures([*range(first, min(first + LOOK_AT, len(dataset)))]))
        middle, last = eyes.see(pictures.to(eyes.whole.weight.device))
        views.append((middle.contiguous(), last.mean(dim=(2, 3))))
        if len(views) * middle.nbytes > MEMORY:
            break
    return torch.cat([middle for middle, _ in views]), torch.cat([last for _, last in views])


class _Encoders(nn.Module):
    """What learns to meet."""

    def __init__(self, text: TextEncoder, image: ImageEncoder, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.text, self.image, self.vocabulary = text, image, vocabulary

    def read(self, captions: list[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Words (B, D, T), sentences (B, D) and padding (B, T) of captions."""
        ids, lengths = word_ids(captions, self.vocabulary)
        device = self.image.whole.weight.device
        return *self.text(ids.to(device), lengths), padding_of(lengths, ids.shape[1]).to(device)

    @torch.inference_mode()
    def similar(self, shown: Batch) -> Tensor:
        """Cosines of a batch's pictures and captions, (B, B)."""
        learning = self.text.training, self.image.training
        self.eval()
        whole = self.image(shown.pictures.to(self.image.whole.weight.device))[1]
        near = similarity(whole, self.read(shown.captions)[1])
        self.text.train(learning[0])
        self.image.train(learning[1])
        return near.cpu()


class _Run:
    """One training: of `learning`, a part of the encoders, or all of them."""

    def __init__(
        self,
        encoders: _Encoders,
        learning: nn.Module,
        rate: float,
        steps: int,
        folder: Path,
        shown: Batch,
    ) -> None:
        self.encoders = encoders
        show = samples.matches(lambda: encoders.similar(shown))
        self.optimization = Optimization(learning, folder, steps, rate, STYLE, show=show)
        self.progress = self.optimization.progress

    def learn(self, regions: Tensor, whole: Tensor, captions: list[str]) -> None:
        """One step, from what was seen, (B, D, h, w) and (B, D), and what was said of it."""
        words, sentence, padding = self.encoders.read(captions)
        some = slice(COMPARED)
        by_word = words_loss(regions[some], words[some], padding[some])
        by_sentence = sentence_loss(whole, sentence)
        self.optimization.learn(by_word + by_sentence, words=by_word, sentence=by_sentence)


def word_ids(captions: list[str], vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
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
