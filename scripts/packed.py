"""Convolutions on a CPU, with weights that lie as oneDNN reads them.

PyTorch rearranges the weights of a convolution at every call, and has another library compute some
of them. Here the weights are rearranged once, and oneDNN computes all: on small maps with many
channels that is faster. The operators are those that `torch.compile` calls for.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call

LARGE = 2**15  # weights of a convolution that are worth it: calling a packed one takes longer


class PackedConv(nn.Module):
    """nn.Conv2d or nn.ConvTranspose2d, without gradients.

    `size` is the shape of the maps that it will get; any others are convolved as well, more slowly.
    """

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, size: tuple[int, ...]) -> None:
        super().__init__()
        self.turned = isinstance(conv, nn.ConvTranspose2d)
        more = [conv.output_padding] if self.turned else []
        self.geometry = (conv.padding, *more, conv.stride, conv.dilation, conv.groups)
        reorder = (
            torch.ops.mkldnn._reorder_convolution_transpose_weight
            if self.turned
            else torch.ops.mkldnn._reorder_convolution_weight
        )
        weight = conv.weight.detach().contiguous()
        self.register_buffer("weight", reorder(weight, *self.geometry, size))
        self.register_buffer("bias", None if conv.bias is None else conv.bias.detach())

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
def pack(network: nn.Module, *shapes: tuple[int, ...]) -> nn.Module:
    """The same network with its large convolutions packed, in place; float32, for evaluation.

    `shapes` are those of the inputs that it will get.
    """
    for name, size in sizes(network, *shapes).items():
        conv = network.get_submodule(name)
        if conv.weight.numel() >= LARGE:
            network.set_submodule(name, PackedConv(conv, size))
    return network


def sizes(network: nn.Module, *shapes: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes of what a network's convolutions get; nothing is computed for it."""
    found = {}
    watched = [
        part.register_forward_pre_hook(
            lambda _, inputs, name=name: found.update({name: tuple(inputs[0].shape)})
        )
        for name, part in network.named_modules()
        if type(part) in (nn.Conv2d, nn.ConvTranspose2d)
    ]
    tensors = [*network.named_parameters(), *network.named_buffers()]
    state = {name: tensor.to("meta") for name, tensor in tensors}
    functional_call(network, state, tuple(torch.empty(shape, device="meta") for shape in shapes))
    for hook in watched:
        hook.remove()
    return found
