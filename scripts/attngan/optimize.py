"""A trained generator made faster: what does not depend on the input is computed once, at loading.

Batch normalisation in evaluation mode is a scale and a shift for each channel, which the weights of
the layer before it can carry. A nearest doubling and the 3 x 3 convolution behind it are one
transposed convolution (`transposed.SPREAD`). The results are those of the plain generator
but for the order of sums.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from scripts import packed, winograd
from scripts.attngan.generator import FIRST_SIDE, FirstStage, Generator, Mapping, Residual, Up
from scripts.attngan.transposed import SPREAD


class FoldedUp(nn.Module):
    """Up: one transposed convolution."""

    def __init__(self, up: Up) -> None:
        super().__init__()
        fused = fuse_conv_bn_eval(up.conv, up.norm)
        spread = fused.weight.new_tensor(SPREAD)
        kernel = spread @ fused.weight.transpose(0, 1) @ spread.T  # (in, out, 4, 4)
        with torch.device("meta"):
            self.conv = nn.ConvTranspose2d(*kernel.shape[:2], 4, stride=2, padding=1)
        self.conv.weight = nn.Parameter(kernel, requires_grad=False)
        self.conv.bias = fused.bias

    def forward(self, x: Tensor) -> Tensor:
        return functional.glu(self.conv(x), dim=1)


class FoldedResidual(nn.Module):
    """Residual: two convolutions."""

    def __init__(self, block: Residual) -> None:
        super().__init__()
        self.conv1 = fuse_conv_bn_eval(block.conv1, block.norm1)
        self.conv2 = fuse_conv_bn_eval(block.conv2, block.norm2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(functional.glu(self.conv1(x), dim=1)).add_(x)


class FoldedMapping(nn.Module):
    """Mapping: two linear layers."""

    def __init__(self, mapping: Mapping) -> None:
        super().__init__()
        self.linear1 = fuse_linear_bn_eval(mapping.linear1, mapping.norm1)
        self.linear2 = fuse_linear_bn_eval(mapping.linear2, mapping.norm2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(functional.glu(self.linear1(x), dim=1))


class FoldedFirst(nn.Module):
    """FirstStage: what is mapped, if anything is, one linear layer, then its Ups and residuals."""

    def __init__(self, first: FirstStage) -> None:
        super().__init__()
        mapped = isinstance(first.mapping, Mapping)
        self.mapping = FoldedMapping(first.mapping) if mapped else nn.Identity()
        self.linear = fuse_linear_bn_eval(first.linear, first.norm)
        self.ups = nn.Sequential(
            *(
                nn.Sequential(FoldedUp(up), *map(FoldedResidual, residuals))
                for up, residuals in zip(first.ups, first.residuals, strict=True)
            )
        )

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        x = self.mapping(torch.cat([condition, z], dim=1))
        x = functional.glu(self.linear(x), dim=1)
        return self.ups(x.unflatten(1, (-1, FIRST_SIDE, FIRST_SIDE)))


FOLDED = {FirstStage: FoldedFirst, Up: FoldedUp, Residual: FoldedResidual}


@torch.no_grad()
def fold(network: Generator) -> Generator:
    """The same generator, in evaluation mode for good, in place.

    It paints its last picture only, unless its stages read those before. Its maps have their
    channels last, as CPUs like it.
    """
    network.eval()
    slow = [(name, part) for name, part in network.named_modules() if type(part) in FOLDED]
    for name, part in slow:
        if not name.startswith("first."):  # FoldedFirst has taken those
            network.set_submodule(name, FOLDED[type(part)](part))
    if not network.config.reads:
        network.paint = network.paint[-1:]
    return network.to(memory_format=torch.channels_last)


def optimize(network: Generator, device: str) -> Generator:
    """The same generator with all that makes it faster on a device, in place."""
    fold(network)
    if packed.possible(device):
        winograd.optimize(network)
        # Behind the first stage, maps are large and weights are small.
        packed.pack(network.first, (1, network.config.noise), (1, network.config.condition))
    return network
