"""The captioner: a convolutional encoder and an LSTM that says what it saw.

Vinyals et al. 2015, "Show and Tell" (arXiv 1411.4555), with any classification network of
torchvision in front; the published weights have ResNet-152 (He et al. 2016, arXiv 1512.03385).
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from scripts.backbones import classifier
from scripts.sampling import draw

# Mean and deviation of ImageNet's red, green and blue in [0, 1]; pictures come normalised by them.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

END = 2  # the id of <end>, which closes every caption

State = tuple[Tensor, Tensor]  # of an LSTM: what it says and what it keeps, (layers, B, H) each


@dataclass(frozen=True)
class CaptionerConfig:
    """Sizes; the defaults are those of the published model."""

    vocabulary: int  # V, number of words, <pad> <start> <end> <unk> included
    backbone: str = "resnet152"  # a classification network, as torchvision.models names it
    size: int = 224  # S, side of the square picture, in pixels
    embedding: int = 256  # E, of a word and of the picture
    hidden: int = 512  # H, of the LSTM
    layers: int = 1  # of the LSTM
    max_words: int = 20  # the longest caption, <start> and <end> included


def headless(name: str, size: int) -> tuple[nn.Module, int]:
    """A randomly weighted network of torchvision without its last layer, and its features' number.

    Raises ValueError if torchvision has no such network, or if it does not end in a linear layer.
    """
    network = classifier(name, size)
    path, head = [*network.named_modules()][-1]
    if not isinstance(head, nn.Linear):
        raise ValueError(f"{name} cannot describe pictures: it ends in {head}, not in a Linear")
    network.set_submodule(path, nn.Identity())
    return network, head.in_features


def pack_words(ids: Tensor, lengths: Tensor) -> Tensor:
    """What stands before each row's length, (B, T) -> (sum of lengths,), as Decoder orders it."""
    return pack_padded_sequence(ids, lengths.cpu(), batch_first=True, enforce_sorted=False).data


class Encoder(nn.Module):
    """Puts a picture where the words are: into their embedding."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        self.backbone, features = headless(config.backbone, config.size)
        self.linear = nn.Linear(features, config.embedding)
        self.norm = nn.BatchNorm1d(config.embedding, momentum=0.01)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (B, E) of pictures (B, 3, S, S), normalised by MEAN and STD."""
        return self.norm(self.linear(self.backbone(pictures)))


class Decoder(nn.Module):
    """An LSTM whose first input is the picture and whose next ones are the words said so far."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        self.max_words = config.max_words
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.lstm = nn.LSTM(config.embedding, config.hidden, config.layers, batch_first=True)
        self.linear = nn.Linear(config.hidden, config.vocabulary)

    def forward(self, features: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits of captions, each word given the picture and the words before it.

        Args:
            features: of the pictures, (B, E).
            ids: of the words, (B, T), int64; <start> first and <end> last.
            lengths: words of each caption, (B,), <start> and <end> included, each from 1 to T.

        Returns:
            Logits, (sum of lengths, V), of the words `pack_words(ids, lengths)`: the first ones are
            those of <start>, said on sight of the picture.
        """
        before = self.embedding(ids[:, :-1])  # (B, T - 1, E)
        inputs = torch.cat([features[:, None], before], dim=1)  # (B, T, E)
        sequence = pack_padded_sequence(
            inputs, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        said, _ = self.lstm(sequence)
        return self.linear(said.data)

    def say(self, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        """One step: from inputs (B, E) and the state (None at first) to logits (B, V), and on."""
        output, state = self.lstm(inputs[:, None], state)  # (B, 1, H)
        return self.linear(output[:, 0]), state

    def greedy(self, features: Tensor) -> Tensor:
        """The likeliest word at each step, given the likeliest ones before it.

        Takes features (B, E); gives ids (B, max_words), int64. Behind a row's first <end> all is
        <end>; no step is computed once every row has said it.
        """
        inputs, state = features, None  # (B, E)
        said = torch.full(
            (len(features), self.max_words), END, dtype=torch.int64, device=features.device
        )
        done = torch.zeros(len(features), dtype=torch.bool, device=features.device)
        for step in range(self.max_words):
            logits, state = self.say(inputs, state)  # (B, V)
            word = logits.argmax(dim=1)  # (B,)
            said[:, step] = word.masked_fill(done, END)
            done = done | (word == END)
            if done.all():
                break
            inputs = self.embedding(word)  # (B, E)
        return said

    def beam(self, features: Tensor, width: int) -> list[tuple[list[int], float]]:
        """The likeliest captions of one picture that a search of this width finds.

        At each step the `width` likeliest beginnings are kept (Graves 2012, arXiv 1211.3711; Show
        and Tell, section 3.1.2). Takes features (1, E); gives up to `width` captions, each without
        <end>, with the natural logarithm of its probability, the likeliest first. Probabilities
        are not corrected for length: of two captions, the shorter one has the better chance.
        """
        inputs, state = features, None  # (1, E)
        begun: list[list[int]] = [[]]
        scores = features.new_zeros(1)  # (W,)
        ended: list[tuple[list[int], float]] = []
        for _ in range(self.max_words):
            logits, state = self.say(inputs, state)  # (W, V)
            chances = logits.log_softmax(dim=1)
            best, flat = (scores[:, None] + chances).flatten().topk(min(width, chances.numel()))
            rows, words = flat // chances.shape[1], flat % chances.shape[1]
            told = zip(rows.tolist(), words.tolist(), best.tolist(), strict=True)
            ended += [(begun[row], score) for row, word, score in told if word == END]
            on = words != END
            rows, words, scores = rows[on], words[on], best[on]
            begun = [
                [*begun[row], word] for row, word in zip(rows.tolist(), words.tolist(), strict=True)
            ]
            ended = sorted(ended, key=lambda caption: -caption[1])[:width]
            # No beginning becomes likelier by going on.
            enough = len(ended) == width and (not len(scores) or ended[-1][1] >= scores[0])
            if enough or not begun:
                break
            state = tuple(part[:, rows] for part in state)  # (layers, W, H)
            inputs = self.embedding(words)  # (W, E)
        else:
            ended += zip(begun, scores.tolist(), strict=True)
        return sorted(ended, key=lambda caption: -caption[1])[:width]

    def sample(
        self, features: Tensor, temperature: float, top_p: float, chance: Generator
    ) -> tuple[list[int], float]:
        """A caption of one picture, each word drawn from those that are likely enough.

        Takes features (1, E), and draws one number a word from a generator on the CPU: see
        sampling.draw. Gives ids without <end>, and the natural logarithm of the caption's
        probability as the network has it, <end> included.
        """
        inputs, state = features, None  # (1, E)
        said, score = [], 0.0
        for _ in range(self.max_words):
            logits, state = self.say(inputs, state)  # (1, V)
            plain = logits[0].double().cpu()
            word = draw(plain, temperature, top_p, chance)
            score += float(plain.log_softmax(dim=0)[word])
            if word == END:
                break
            said.append(word)
            inputs = self.embedding(torch.tensor([word], device=features.device))  # (1, E)
        return said, score


class Captioner(nn.Module):
    """Says in words what is in a picture."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def forward(self, pictures: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits for training: see Decoder.forward; pictures (B, 3, S, S) as for Encoder."""
        return self.decoder(self.encoder(pictures), ids, lengths)

    @torch.inference_mode()
    def describe(self, pictures: Tensor) -> Tensor:
        """Ids (B, max_words) of the captions of pictures (B, 3, S, S), as from Decoder.greedy.

        Pictures are looked at one by one, so that no caption depends on what else is described.
        """
        return torch.cat([self.decoder.greedy(self.encoder(one)) for one in pictures.split(1)])

    @torch.inference_mode()
    def captions_together(
        self, pictures: Tensor, beam: int = 1
    ) -> list[list[tuple[list[int], float]]]:
        """As `captions`, of each picture (B, 3, S, S); all are looked at in one batch."""
        return [self.decoder.beam(one, beam) for one in self.encoder(pictures).split(1)]

    @torch.inference_mode()
    def captions(self, picture: Tensor, beam: int = 1) -> list[tuple[list[int], float]]:
        """Up to `beam` captions of a picture (1, 3, S, S), the likeliest first.

        Each is the ids of its words, without <end>, and the natural logarithm of its probability,
        <end> included. A beam of 1 finds Decoder.greedy's caption.
        """
        return self.decoder.beam(self.encoder(picture), beam)

    @torch.inference_mode()
    def sample(
        self, picture: Tensor, temperature: float, top_p: float, chance: Generator
    ) -> tuple[list[int], float]:
        """A caption of a picture (1, 3, S, S) that is drawn by chance: see Decoder.sample."""
        return self.decoder.sample(self.encoder(picture), temperature, top_p, chance)
