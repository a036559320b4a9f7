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

WORDS = 32  # captions that are painted together are filled up to a multiple of it


class AttnGan(Painter):
    """Paints from noise, the sentence and the words, as far as its vocabulary has them.

    From a picture's generator it draws z first, then the noise of the conditioning augmentation.
    """

    kind = "attngan"
    memory = 3000
    played = ("text_encoder", "generator")
    code = ("scripts.players.attngan", "scripts.attngan.text_encoder", "scripts.attngan.optimize")

    @property
    def settings(self) -> dict[str, Any]:
        sizes = {part: self.bundle.sizes(part) for part in self.played}
        # Where the generator does not say it, it is as long as what the text encoder gives.
        sentence = {"sentence": sizes["text_encoder"].get("features")}
        return sizes | {"generator": sentence | sizes["generator"]}

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
        pictures = self._compose(captions, chance, device).pictures[-1]  # (B, 3, S, S)
        return [Image.fromarray(pixels_of(picture).numpy()) for picture in pictures.split(1)]

    @property
    def no_attention(self) -> str:
        if self.bundle.sizes("generator").get("stages") != 1:
            return ""
        return (
            f"the generator of the bundle {self.bundle.name} has one stage only; "
            "attention to words begins with the second"
        )

    def look(self, caption: str, chance: Generator, device: str) -> Looked:
        words = self.read(caption).words
        painting = self._compose([caption], [chance], device)
        picture = Image.fromarray(pixels_of(painting.pictures[-1]).numpy())
        stages = [stage[0, : len(words)].float().cpu().numpy() for stage in painting.attention]
        return Looked(picture, words, stages)  # (T, s, s) each

    def _compose(
        self, captions: Sequence[str], chance: Sequence[Generator], device: str
    ) -> Painting:
        """All that the generator makes of captions: their last pictures, and what it looked at."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        from scripts import noise

        reader = self.bundle.network("text_encoder", device)
        painter = self.bundle.network("generator", device)
        sizes = painter.config
        drawn = [noise.normal(own, sizes.noise, sizes.condition) for own in chance]
        z, eps = (torch.stack(part).to(device) for part in zip(*drawn, strict=True))
        ids = [torch.tensor(self.read(caption).word_ids) for caption in captions]
        lengths = torch.tensor([len(one) for one in ids])
        tokens = pad_sequence(ids, batch_first=True)  # (B, T)
        if len(ids) > 1:  # a length that seldom depends on what is painted together
            tokens = torch.nn.functional.pad(tokens, (0, -tokens.shape[1] % WORDS))
        padding = (torch.arange(tokens.shape[1]) >= lengths[:, None]).to(device)  # (B, T)
        # A caption alone is painted as ever; many, all at once.
        paint = painter if len(ids) == 1 else painter.batched
        with torch.inference_mode():
            words, sentences = reader(tokens.to(device), lengths)  # (B, D, T), (B, D)
            painting = paint(z, eps, words, sentences, padding)
            if not torch.isfinite(painting.pictures[-1]).all():
                raise UserError(self.bundle.damaged("generator"))
            return painting


def pixels_of(picture: Tensor) -> Tensor:
    """(S, S, 3), uint8, on the CPU, of a painted picture (1, 3, S, S) in [-1, 1]."""
    import torch

    with torch.inference_mode():
        last = picture[0].float().cpu()  # (3, S, S)
        return ((last + 1) * 127.5).to(torch.uint8).permute(1, 2, 0).contiguous()
