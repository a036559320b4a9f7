"""What pictures and captions mean to a bundle: the DAMSM's encoders (AttnGAN, section 3.2).

They bring pictures and captions into one space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from scripts.bundles import Bundle
from scripts.words import encode

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Meaning:
    """The text and image encoder of a bundle that has both, on the CPU."""

    bundle: Bundle

    @classmethod
    def of(cls, bundle: Bundle) -> Meaning | None:
        """None of a bundle that has no image encoder."""
        damsm = bundle.damsm
        there = damsm and all(path.is_file() for path in damsm.files("image_encoder"))
        return cls(damsm) if there else None

    def picture(self, picture: Image.Image) -> Tensor:
        """The whole of an RGB picture, of unit length: (D,)."""
        import torch

        look = self.bundle.network("image_encoder", "cpu")
        seen = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.inference_mode():
            return torch.nn.functional.normalize(look(seen)[1][0], dim=0)

    def sentence(self, caption: str) -> Tensor | None:
        """A caption, of unit length: (D,); None if none of its words is known."""
        import torch

        ids, _ = encode(caption, self.bundle.words["text_encoder"])
        if not ids:
            return None
        read = self.bundle.network("text_encoder", "cpu")
        with torch.inference_mode():
            _, sentence = read(torch.tensor([ids]), torch.tensor([len(ids)]))
        return torch.nn.functional.normalize(sentence[0], dim=0)
