"""Changes that leave a caption true: networks learn what is in a picture, not its pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(pictures: Tensor) -> Tensor:
    """Shifted, blurred, noisy, in other light: rendered pictures come nearer to painted ones.

    pictures (B, 3, S, S) in [-1, 1], as is the result. Each picture is changed by its own chance,
    drawn from torch's default generator.
    """
    return _noise(_blur(_light(_move(pictures)))).clamp(-1, 1)


def _move(pictures: Tensor) -> Tensor:
    """Mirrored or not, up to 12 % larger or smaller, up to 6 % aside."""
    batch = len(pictures)
    scale = torch.empty(batch).uniform_(0.88, 1.12)
    mirrored = torch.where(torch.rand(batch) < 0.5, -scale, scale)
    shift = torch.empty(batch, 2).uniform_(-0.12, 0.12)
    matrix = torch.zeros(batch, 2, 3)
    matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, :, 2] = mirrored, scale, shift
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def _light(pictures: Tensor) -> Tensor:
    batch = len(pictures)
    gain = torch.empty(batch, 3, 1, 1).uniform_(0.92, 1.08) * torch.empty(batch, 1, 1, 1).uniform_(
        0.8, 1.2
    )
    return pictures * gain + torch.empty(batch, 1, 1, 1).uniform_(-0.15, 0.15)


def _blur(pictures: Tensor) -> Tensor:
    """Half of them are shrunk to between a third and four fifths, and brought back."""
    side = pictures.shape[-1]
    smaller = int(side * torch.empty(1).uniform_(0.33, 0.8))
    soft = F.interpolate(pictures, size=smaller, mode="bilinear", antialias=True)
    soft = F.interpolate(soft, size=side, mode="bilinear")
    return torch.where(torch.rand(len(pictures), 1, 1, 1) < 0.5, soft, pictures)


def _noise(pictures: Tensor) -> Tensor:
    strength = torch.empty(len(pictures), 1, 1, 1).uniform_(0, 0.08)
    return pictures + strength * torch.randn_like(pictures)
