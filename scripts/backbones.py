"""Classification networks by name, with no weights and no download: torchvision's, and ours."""

import difflib

import torch
import torchvision
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from scripts.efficientnet import EfficientNetLite0

OURS = {"efficientnet_lite0": EfficientNetLite0}  # what torchvision lacks


def classifier(name: str, size: int) -> nn.Module:
    """A classification network with random weights, and no auxiliary heads.

    Args:
        name: as torchvision.models names it, `resnet152` for instance; or one of OURS.
        size: side of its pictures, in pixels; only vision transformers are made for one size.

    Raises ValueError if torchvision has no classification network of this name.
    """
    if name in OURS:
        return OURS[name]()
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        near = difflib.get_close_matches(name, known) or known
        raise ValueError(f"unknown backbone {name!r}; torchvision has {', '.join(near)}")
    arguments = {}
    if name.startswith("vit_"):
        arguments = {"image_size": size}
    elif name in ("inception_v3", "googlenet"):
        arguments = {"aux_logits": False, "init_weights": False, "transform_input": False}
    return torchvision.models.get_model(name, weights=None, **arguments)


@torch.no_grad()
def fold(network: nn.Module) -> nn.Module:
    """The same network, in evaluation mode for good, in place, with fewer passes over its maps.

    Each normalisation that stands right behind a convolution becomes part of its weights. (In
    torchvision's networks, what stands behind a convolution also follows it in the computation.)
    """
    network.eval()
    for parent in list(network.modules()):
        children = list(parent.named_children())
        for (before, conv), (name, norm) in zip(children, children[1:], strict=False):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent.set_submodule(before, fuse_conv_bn_eval(conv, norm))
                parent.set_submodule(name, nn.Identity())
    return network


def channels_last(network: nn.Module) -> nn.Module:
    """The same network, whose convolutions give maps with their channels last, in place."""
    for part in network.modules():
        if type(part) is nn.Conv2d:
            part.to(memory_format=torch.channels_last)
    return network
