"""A trained generator made faster: what does not depend on the input is computed once, at loading.

Batch normalisation in evaluation mode is a scale and a shift for each channel, which the weights of
the layer before it can carry. A nearest doubling and the 3 x 3 convolution behind it are one
transposed convolution (`quick.SPREAD`). The results are those of the plain generator but for the
order of sums.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from scripts.attngan.generator import FIRST_SIDE, FirstStage, Generator, Residual, Up
from scripts.attngan.quick import SPREAD

Norm = nn.BatchNorm1d | nn.BatchNorm2d


def scale_and_shift(norm: Norm) -> tuple[Tensor, Tensor]:
    """What a normalisation does to each of its C channels in evaluation mode: (C,), (C,)."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale


class FoldedUp(nn.Module):
    """Up: one transposed convolution."""

    def __init__(self, up: Up) -> None:
        super().__init__()
        scale, shift = scale_and_shift(up.norm)
        weight = up.conv.weight * scale[:, None, None, None]  # (out, in, 3, 3)
        spread = weight.new_tensor(SPREAD)
        self.register_buffer(
            "kernel", spread @ weight.transpose(0, 1) @ spread.T
        )  # (in, out, 4, 4)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv_transpose2d(x, self.kernel, self.shift, stride=2, padding=1)
        return functional.glu(x, dim=1)


class FoldedResidual(nn.Module):
    """Residual: two convolutions."""

    def __init__(self, block: Residual) -> None:
        super().__init__()
        for number, conv, norm in ((1, block.conv1, block.norm1), (2, block.conv2, block.norm2)):
            scale, shift = scale_and_shift(norm)
            self.register_buffer(f"kernel{number}", conv.weight * scale[:, None, None, None])
            self.register_buffer(f"shift{number}", shift)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.glu(functional.conv2d(x, self.kernel1, self.shift1, padding=1), dim=1)
        return functional.conv2d(y, self.kernel2, self.shift2, padding=1).add_(x)


class FoldedFirst(nn.Module):
    """The beginning of FirstStage: one linear layer, then its Ups."""

    def __init__(self, first: FirstStage) -> None:
        super().__init__()
        scale, shift = scale_and_shift(first.norm)
        self.register_buffer("weight", first.linear.weight * scale[:, None])
        self.register_buffer("shift", shift)
        self.ups = nn.Sequential(*(FoldedUp(up) for up in first.ups))

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        x = functional.linear(torch.cat([condition, z], dim=1), self.weight, self.shift)
        return self.ups(functional.glu(x, dim=1).unflatten(1, (-1, FIRST_SIDE, FIRST_SIDE)))


FOLDED = {FirstStage: FoldedFirst, Up: FoldedUp, Residual: FoldedResidual}


@torch.no_grad()
def fold(network: Generator) -> Generator:
    """The same generator, in evaluation mode for good, in place; a CPU likes channels last."""
    slow = [(name, part) for name, part in network.named_modules() if type(part) in FOLDED]
    for name, part in slow:
        if not name.startswith("first.ups"):  # FoldedFirst has taken those
            network.set_submodule(name, FOLDED[type(part)](part))
    return network.eval().to(memory_format=torch.channels_last)
