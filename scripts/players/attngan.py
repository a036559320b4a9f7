"""`kind: attngan`, the painter of the original game: AttnGAN (Xu et al. 2018, arXiv 1711.10485)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from scripts.errors import UserError
from scripts.players import Looked, Painter, Reading
from scripts.words import encode, tokenize

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from scripts.attngan.generator import Painting


class AttnGan(Painter):
    """Paints from noise, the sentence and the words, as far as its vocabulary has them.

    From a picture's generator it draws z first, then the noise of the conditioning augmentation.
    """

    kind = "attngan"
    played = ("text_encoder", "generator")
    code = ("scripts.players.attngan", "scripts.attngan.text_encoder", "scripts.attngan.folded")

    @property
    def settings(self) -> dict[str, Any]:
        return {part: self.bundle.sizes(part) for part in self.played}

    @property
    def files(self) -> list[Path]:
        return self.bundle.files(*self.played)

    @property
    def is_fetched(self) -> bool:
        return "official" in self.bundle.settings

    def read(self, caption: str) -> Reading:
        ids, unknown = encode(caption, self.bundle.words["text_encoder"])
        known = [word for word in tokenize(caption) if word not in unknown]
        return Reading(known, ids, unknown)

    def paint(
        self, captions: Sequence[str], chance: Sequence[Generator], device: str
    ) -> list[Image.Image]:
        return [
            _picture(self._compose(caption, drawn, device))
            for caption, drawn in zip(captions, chance, strict=True)
        ]

    @property
    def no_attention(self) -> str:
        if self.bundle.sizes("generator").get("stages") != 1:
            return ""
        return (
            f"the generator of the bundle {self.bundle.name} has one stage only; "
            "attention to words begins with the second"
        )

    def look(self, caption: str, chance: Generator, device: str) -> Looked:
        painting = self._compose(caption, chance, device)
        stages = [stage[0].float().cpu().numpy() for stage in painting.attention]  # (T, s, s) each
        return Looked(_picture(painting), self.read(caption).words, stages)

    def _compose(self, caption: str, chance: Generator, device: str) -> Painting:
        """All that the generator makes of a caption: its last picture, and what it looked at."""
        import torch

        from scripts import noise

        reader = self.bundle.network("text_encoder", device)
        painter = self.bundle.network("generator", device)
        sizes = painter.config
        z, eps = noise.normal(chance, sizes.noise, sizes.condition)
        ids = self.read(caption).word_ids
        with torch.inference_mode():
            tokens = torch.tensor([ids], device=device)  # (1, T)
            words, sentence = reader(tokens, torch.tensor([len(ids)]))  # (1, D, T), (1, D)
            padding = torch.zeros_like(tokens, dtype=torch.bool)  # (1, T)
            painting = painter(z[None].to(device), eps[None].to(device), words, sentence, padding)
            if not torch.isfinite(painting.pictures[-1]).all():
                raise UserError(self.bundle.damaged("generator"))
            return painting


def _picture(painting: Painting) -> Image.Image:
    return Image.fromarray(pixels_of(painting.pictures[-1]).numpy())


def pixels_of(picture: Tensor) -> Tensor:
    """(S, S, 3), uint8, on the CPU, of a painted picture (1, 3, S, S) in [-1, 1]."""
    import torch

    with torch.inference_mode():
        last = picture[0].float().cpu()  # (3, S, S)
        return ((last + 1) * 127.5).to(torch.uint8).permute(1, 2, 0).contiguous()
