"""The text encoder of AttnGAN: a bidirectional LSTM (Xu et al. 2018, section 3.2)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


@dataclass(frozen=True)
class TextEncoderConfig:
    """Sizes; the defaults are those of the published models.

    Raises ValueError if `features` is odd: half of it belongs to each reading direction.
    """

    vocabulary: int  # V, number of words, id 0 included
    embedding: int = 300  # size of a word before it is read in context
    features: int = 256  # D, size of a word in context and of the sentence
    dropout: float = 0.5  # of embeddings, while training

    def __post_init__(self) -> None:
        if self.features % 2:
            raise ValueError(f"features must be even, not {self.features}")


class TextEncoder(nn.Module):
    """Reads captions forwards and backwards."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(
            config.embedding, config.features // 2, batch_first=True, bidirectional=True
        )
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)

    def forward(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode captions, which may come in any order of length.

        In evaluation mode captions are read one by one, so that the result is the same to the
        last bit whatever else is read with them.

        Args:
            ids: word ids, int64, (B, T); what stands behind a caption's length is ignored.
            lengths: words of each caption, (B,), each from 1 to T.

        Returns:
            The words in their context, (B, D, T), zero in padding; and the sentence, (B, D): the
            last state of the reading forwards, then that of the reading backwards. All in [-1, 1].

        Raises ValueError if a length is not from 1 to T.
        """
        if not all(1 <= length <= ids.shape[1] for length in lengths.tolist()):
            raise ValueError(f"lengths {lengths.tolist()} must be from 1 to {ids.shape[1]}")
        if self.training:
            return self.batched(ids, lengths)
        read = [self.batched(*row) for row in zip(ids.split(1), lengths.split(1), strict=True)]
        words, sentences = zip(*read, strict=True)
        return torch.cat(words), torch.cat(sentences)

    def batched(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """As forward, with all captions in one batch, whose makeup touches the last bits."""
        embedded = self.dropout(self.embedding(ids))  # (B, T, E)
        packed = pack_padded_sequence(
            embedded, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        read, (last, _) = self.lstm(packed)  # last: (2, B, D/2)
        words, _ = pad_packed_sequence(read, batch_first=True, total_length=ids.shape[1])
        return words.transpose(1, 2), last.transpose(0, 1).flatten(1)
