"""The optional door for rendered worlds: noise that stands for a known layout.

A generator with categorical codes (GeneratorConfig.codes; InfoGAN, Chen et al. 2016, section 4)
reads groups of the noise's leading entries by their largest one. Where the layout of a picture is
known, noise can be drawn that says just that: then every (caption, noise) has one right picture,
and the generator can be shown it.
"""

import torch
from torch import Tensor


def noise_for(codes: Tensor, groups: tuple[int, ...], size: int) -> Tensor:
    """Standard normal noise in which the largest entry of group g is entry `codes[:, g]`.

    codes (B, G) of whole numbers below `groups`; returns (B, size). Since the entries of a group
    are alike, swapping two of them leaves the noise as normal as it was.
    """
    noise = torch.randn(len(codes), size)
    rows = torch.arange(len(codes))
    start = 0
    for group, ways in enumerate(groups):
        wanted = start + codes[:, group]
        largest = start + noise[:, start : start + ways].argmax(dim=1)
        noise[rows, wanted], noise[rows, largest] = noise[rows, largest], noise[rows, wanted]
        start += ways
    return noise
