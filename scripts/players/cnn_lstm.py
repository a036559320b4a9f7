"""`kind: cnn_lstm`, the captioner of the original game: a convolutional network and an LSTM."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from scripts.errors import UserError
from scripts.players import Captioner, Said, Sampling

if TYPE_CHECKING:
    from torch import Tensor

SPECIAL = ("<start>", "<end>")  # words of the network that are no part of a caption


class CnnLstm(Captioner):
    """Says the words that its vocabulary numbers, the likeliest ones first."""

    kind = "cnn_lstm"
    samples = True
    memory = 2000
    code = ("scripts.players.cnn_lstm", "scripts.captioner.optimize")

    @property
    def files(self) -> list[Path]:
        return self.bundle.files("captioner")

    @property
    def is_fetched(self) -> bool:
        return "official" in self.bundle.settings

    @property
    def familiar(self) -> float | None:
        return self.bundle.settings.get("familiar")

    def familiarity(self, picture: Image.Image, device: str) -> float:
        from scripts.captioner.familiarity import familiarity

        network = self.bundle.network("captioner", device)
        return familiarity(network, self._pixels([picture], device))

    def describe(
        self, pictures: Sequence[Image.Image], device: str, beam: int = 1
    ) -> list[list[Said]]:
        network = self.bundle.network("captioner", device)
        found = network.captions_together(self._pixels(pictures, device), beam)
        return [self._sentences(said) for said in found]

    def sample(self, picture: Image.Image, device: str, drawn: Sampling) -> list[Said]:
        network = self.bundle.network("captioner", device)
        ids, score = network.sample(
            self._pixels([picture], device), drawn.temperature, drawn.top_p, drawn.chance
        )
        return self._sentences([(ids, score)])

    def _pixels(self, pictures: Sequence[Image.Image], device: str) -> Tensor:
        """What the network sees of RGB pictures: (B, 3, S, S)."""
        import torch
        from torchvision.transforms.functional import normalize, to_tensor

        from scripts.captioner.network import MEAN, STD

        side = self.bundle.network("captioner", device).config.size
        squares = [picture.resize((side, side), Image.Resampling.LANCZOS) for picture in pictures]
        seen = [normalize(to_tensor(square), MEAN, STD) for square in squares]
        return torch.stack(seen).to(device)

    def _sentences(self, said: list[tuple[list[int], float]]) -> list[Said]:
        if not all(math.isfinite(score) for _, score in said):
            raise UserError(self.bundle.damaged("captioner"))
        return [Said(self._sentence(ids), score) for ids, score in said]

    def _sentence(self, ids: list[int]) -> str:
        words = self.bundle.words["captioner"].spell(ids)
        return " ".join(word for word in words if word not in SPECIAL)
