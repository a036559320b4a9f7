"""Word attention of AttnGAN (Xu et al. 2018, arXiv 1711.10485, section 3.1)."""

import torch
from torch import Tensor


def attend(places: Tensor, words: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
    """Mix, for each place of a picture, the words that concern it (equation 2).

    Args:
        places: features of the N places, (B, F, N).
        words: features of the T words, brought to the places' space, (B, F, T).
        padding: bool, (B, T); true where a caption has no word. Padding is never looked at.

    Returns:
        The context of each place, (B, F, N), and how much each place looks at each word,
        (B, N, T): at least 0, summing to 1 over the words. A caption in which every position
        is padding has no meaning and gives NaN.
    """
    scores = words.transpose(1, 2) @ places  # (B, T, N)
    scores = scores.masked_fill(padding[:, :, None], -torch.inf)
    attention = scores.softmax(dim=1)
    # The context comes place by place, as maps lie whose channels are last.
    context = (attention.transpose(1, 2) @ words.transpose(1, 2)).transpose(1, 2)  # (B, F, N)
    return context, attention.transpose(1, 2)
