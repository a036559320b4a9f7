"""Samples of what networks have learnt so far, written with each checkpoint."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.utils import save_image

SHOWN = 8


def paintings(network: nn.Module, inputs: Sequence[Tensor]) -> Callable[[Path], None]:
    """Writes the same captions' pictures, painted with the same noise: a PNG of a grid.

    `inputs` are what Generator wants (z, eps, words, sentence, padding), for SHOWN captions.
    """

    def show(path: Path) -> None:
        learning = network.training
        network.eval()
        with torch.inference_mode():
            pictures = network(*inputs).pictures[-1]  # (B, 3, S, S) in [-1, 1]
        network.train(learning)
        save_image(pictures, path.with_suffix(".png"), nrow=4, normalize=True, value_range=(-1, 1))

    return show


def captions(describe: Callable[[Tensor], list[str]], pictures: Tensor) -> Callable[[Path], None]:
    """Writes what is said of the same pictures, a line for each."""

    def show(path: Path) -> None:
        path.with_suffix(".txt").write_text("".join(f"{line}\n" for line in describe(pictures)))

    return show


def matches(similar: Callable[[], Tensor]) -> Callable[[Path], None]:
    """Writes how often the right one of B captions is the nearest to its picture, from (B, B)."""

    def show(path: Path) -> None:
        near = similar()
        right = (near.argmax(dim=1) == torch.arange(len(near))).float().mean().item()
        path.with_suffix(".txt").write_text(f"{right:.3f} of {len(near)} captions are found\n")

    return show
