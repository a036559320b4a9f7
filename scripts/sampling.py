"""Words drawn by chance from those that are likely enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor


def draw(logits: Tensor, temperature: float, top_p: float, chance: Generator) -> int:
    """The number of a word, drawn as its logit (of V in a row) says.

    Logits are divided by the temperature; of the words that follow, the likeliest ones that have at
    least `top_p` of all chances together are drawn from (nucleus sampling; Holtzman et al. 2020,
    arXiv 1904.09751). Takes one number in [0, 1) from a generator on the CPU.
    """
    import torch

    scaled = logits.double().cpu() / temperature
    chances, words = scaled.softmax(dim=0).sort(descending=True, stable=True)
    total = chances.cumsum(dim=0)  # (V,)
    number = int((total < top_p).sum()) + 1
    at = torch.rand(1, generator=chance).double() * total[min(number, len(total)) - 1]
    return int(words[min(int((total <= at).sum()), len(words) - 1)])
