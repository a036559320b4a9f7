"""The classification networks of torchvision, by name, with no weights and no download."""

import difflib

import torchvision
from torch import nn


def classifier(name: str, size: int) -> nn.Module:
    """A classification network of torchvision with random weights, and no auxiliary heads.

    Args:
        name: as torchvision.models names it, `resnet152` for instance.
        size: side of its pictures, in pixels; only vision transformers are made for one size.

    Raises ValueError if torchvision has no classification network of this name.
    """
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
