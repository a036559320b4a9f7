"""Two figures by which the field measures: BLEU-4 of captions, R-precision of paintings."""

from collections.abc import Hashable, Sequence

import torch
from nltk.translate.bleu_score import corpus_bleu
from torch import Tensor

from scripts.attngan.damsm import similarity
from scripts.words import tokenize

WRONG = 99  # captions that the right one is ranked among (AttnGAN, section 4)


def bleu4(said: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """BLEU-4 over a corpus (Papineni et al. 2002), from 0 to 1, with no smoothing.

    `references` holds, for each of the captions `said`, all that people say of the same picture.
    """
    wanted = [[tokenize(reference) for reference in several] for several in references]
    return float(corpus_bleu(wanted, [tokenize(caption) for caption in said]))


def r_precision(
    wholes: Tensor,
    sentences: Tensor,
    pool: Tensor,
    told: Sequence[Hashable],
    told_by_pool: Sequence[Hashable],
    seed: int = 1,
) -> float:
    """Share of pictures whose own caption is nearer than WRONG others (AttnGAN, section 4).

    Args:
        wholes: of the pictures, (P, D).
        sentences: of the captions that they were painted of, (P, D).
        pool: sentences that wrong captions are drawn from, (N, D).
        told, told_by_pool: what the captions say, of P and of N; a caption that says the same as
            the right one is not drawn against it.

    Raises ValueError if fewer than WRONG captions of the pool say something else.
    """
    chance = torch.Generator().manual_seed(seed)
    right = torch.nn.functional.cosine_similarity(wholes, sentences)  # (P,)
    near = similarity(wholes, pool)  # (P, N)
    found = 0
    for row, own, content in zip(near, right, told, strict=True):
        others = torch.tensor([i for i, other in enumerate(told_by_pool) if other != content])
        if len(others) < WRONG:
            raise ValueError(f"R-precision needs {WRONG} other captions, not {len(others)}")
        drawn = others[torch.randperm(len(others), generator=chance)[:WRONG]]
        found += bool(own > row[drawn].max())
    return found / len(wholes)
