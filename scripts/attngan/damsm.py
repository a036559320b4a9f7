"""The DAMSM losses: pictures and captions that belong together (Xu et al. 2018, section 3.2).

All functions are pure. P counts pictures and B captions; N regions, T words, D features.
"""

import torch
from torch import Tensor
from torch.nn import functional

GAMMA1 = 4.0  # how sharply a word chooses its regions (equation 9)
GAMMA2 = 5.0  # how much the best words count for the whole caption (equation 10)
GAMMA3 = 10.0  # how sharply the right partner is told from the wrong ones (equation 11)
EPSILON = 1e-8  # keeps cosines of zero vectors finite


def similarity(whole: Tensor, sentence: Tensor) -> Tensor:
    """Cosines of whole pictures (P, D) and sentences (B, D): (P, B), in [-1, 1].

    Ranks captions for R-precision, and is R(Q, D) of the sentence loss.
    """
    whole = functional.normalize(whole, dim=1, eps=EPSILON)
    sentence = functional.normalize(sentence, dim=1, eps=EPSILON)
    return whole @ sentence.T


def words_similarity(
    regions: Tensor,
    words: Tensor,
    padding: Tensor,
    *,
    gamma1: float = GAMMA1,
    gamma2: float = GAMMA2,
) -> Tensor:
    """How well the words of each caption find their regions in each picture (equations 7 to 10).

    Args:
        regions: (P, D, h, w).
        words: (B, D, T).
        padding: bool, (B, T); true where a caption has no word.

    Returns:
        R(Q, D), (P, B). As in the published implementation, and unlike equation 10, the logarithm
        is not divided by gamma2: with the paper's gamma3 this is what the weights were trained by.
    """
    regions = regions.flatten(2)  # (P, D, N)
    scores = torch.einsum("pdn,bdt->pbnt", regions, words)  # equation 7
    scores = scores.masked_fill(padding[:, None, :], -torch.inf)
    shares = scores.softmax(dim=3)  # equation 8: each region's words
    attention = (gamma1 * shares).softmax(dim=2)  # equation 9: each word's regions
    context = torch.einsum("pdn,pbnt->pbdt", regions, attention)
    cosines = functional.cosine_similarity(context, words, dim=2, eps=EPSILON)  # (P, B, T)
    return (gamma2 * cosines).masked_fill(padding, -torch.inf).logsumexp(dim=2)


def matching_loss(similar: Tensor, identity: Tensor | None, gamma3: float) -> Tensor:
    """How badly pictures choose their captions, and captions their pictures (equations 11 to 13).

    Args:
        similar: (B, B); what belongs together stands on the diagonal.
        identity: int, (B,), or None; samples of the same number (captions of one picture, say)
            are no wrong answers to each other, and are left out.
    """
    logits = gamma3 * similar
    if identity is not None:
        twins = identity[:, None] == identity[None, :]
        twins = twins & ~torch.eye(len(twins), dtype=torch.bool, device=twins.device)
        logits = logits.masked_fill(twins, -torch.inf)
    right = torch.arange(len(logits), device=logits.device)
    return functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)


def words_loss(
    regions: Tensor,
    words: Tensor,
    padding: Tensor,
    identity: Tensor | None = None,
    *,
    gamma1: float = GAMMA1,
    gamma2: float = GAMMA2,
    gamma3: float = GAMMA3,
) -> Tensor:
    """The word losses of both directions, summed: a scalar; shapes as in words_similarity, P = B.

    Needs memory for B * B * T * (h * w + D) numbers.
    """
    similar = words_similarity(regions, words, padding, gamma1=gamma1, gamma2=gamma2)
    return matching_loss(similar, identity, gamma3)


def sentence_loss(
    whole: Tensor, sentence: Tensor, identity: Tensor | None = None, *, gamma3: float = GAMMA3
) -> Tensor:
    """The sentence losses of both directions, summed: a scalar; both inputs (B, D)."""
    return matching_loss(similarity(whole, sentence), identity, gamma3)
