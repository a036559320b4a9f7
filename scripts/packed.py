"""Convolutions on a CPU, with weights that lie as oneDNN reads them.

PyTorch rearranges the weights of a convolution at every call, and calls another library for some
of them. Here the weights are rearranged once, and oneDNN computes all: on small maps with many
channels that is faster. The operators are those that `torch.compile` calls for.
"""

import torch
from torch import Tensor, nn


class PackedConv(nn.Module):
    """nn.Conv2d or nn.ConvTranspose2d, without gradients."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.turned = isinstance(conv, nn.ConvTranspose2d)
        more = [conv.output_padding] if self.turned else []
        self.geometry = (conv.padding, *more, conv.stride, conv.dilation, conv.groups)
        reorder = (
            torch.ops.mkldnn._reorder_convolution_transpose_weight
            if self.turned
            else torch.ops.mkldnn._reorder_convolution_weight
        )
        self.register_buffer("weight", reorder(conv.weight.contiguous(), *self.geometry))
        self.register_buffer("bias", conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        compute = (
            torch.ops.mkldnn._convolution_transpose_pointwise
            if self.turned
            else torch.ops.mkldnn._convolution_pointwise
        )
        return compute(x, self.weight, self.bias, *self.geometry, "none", [], "")


def possible(device: str) -> bool:
    """Whether convolutions can be packed for a device."""
    return device == "cpu" and torch.backends.mkldnn.is_available()


@torch.no_grad()
def pack(network: nn.Module) -> nn.Module:
    """The same network with its convolutions packed, in place; float32, for evaluation."""
    for name, part in list(network.named_modules()):
        if type(part) in (nn.Conv2d, nn.ConvTranspose2d):
            network.set_submodule(name, PackedConv(part))
    return network
