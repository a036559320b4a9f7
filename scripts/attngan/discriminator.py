"""The discriminators of AttnGAN (Xu et al. 2018, section 3.1, equations 5 and 6)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

LAST_SIDE = 4  # pictures are halved until their map has this side
SLOPE = 0.2  # of the leaky rectifiers


class Block(nn.Module):
    """A convolution without bias, batch normalisation, a leaky rectifier."""

    def __init__(self, channels: int, result: int, *, halve: bool) -> None:
        super().__init__()
        kernel, stride = (4, 2) if halve else (3, 1)
        self.conv = nn.Conv2d(channels, result, kernel, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(result)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.norm(self.conv(x)), SLOPE)


class Discriminator(nn.Module):
    """Judges pictures of one size: is it real, and does it fit the caption?

    Args:
        size: side of the pictures, in pixels: 64, 128, 256 or another power of 2 from 64 on.
        width: channels after the first halving (96 in the published COCO model, 64 in the bird's).
        sentence: D, size of a sentence.

    Raises ValueError if the size is not such a power of 2.
    """

    def __init__(self, size: int, *, width: int = 96, sentence: int = 256) -> None:
        super().__init__()
        if size < 64 or size & (size - 1):
            raise ValueError(f"size must be 64, 128, 256 or a higher power of 2, not {size}")
        halvings = (size // LAST_SIDE).bit_length() - 1  # 4 for 64 pixels
        widths = [width << i for i in range(halvings)]  # after each halving
        final = widths[3]  # of the map that is judged, whatever the size
        wide = widths[3:][::-1]
        self.first = nn.Conv2d(3, width, 4, 2, padding=1, bias=False)
        self.downs = nn.Sequential(
            *(Block(a, b, halve=True) for a, b in zip(widths, widths[1:], strict=False))
        )
        self.narrows = nn.Sequential(
            *(Block(a, b, halve=False) for a, b in zip(wide, wide[1:], strict=False))
        )
        self.joint = Block(final + sentence, final, halve=False)
        self.fits = nn.Conv2d(final, 1, LAST_SIDE)
        self.real = nn.Conv2d(final, 1, LAST_SIDE)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (B, 8 * width, 4, 4) of pictures (B, 3, size, size) in [-1, 1]."""
        x = functional.leaky_relu(self.first(pictures), SLOPE)  # (B, width, size/2, size/2)
        return self.narrows(self.downs(x))

    def conditional(self, features: Tensor, sentence: Tensor) -> Tensor:
        """Logits (B,) that pictures are real and fit their sentences (B, D)."""
        everywhere = sentence[:, :, None, None].expand(-1, -1, LAST_SIDE, LAST_SIDE)
        joint = self.joint(torch.cat([features, everywhere], dim=1))  # (B, 8 * width, 4, 4)
        return self.fits(joint).flatten()

    def unconditional(self, features: Tensor) -> Tensor:
        """Logits (B,) that pictures are real."""
        return self.real(features).flatten()
