"""BLEU-4 and R-precision on cases that can be counted by hand."""

import math

import pytest
import torch

from scripts.training.scores import WRONG, bleu4, r_precision


def test_bleu_of_what_a_reference_says_is_one():
    assert bleu4(["a red kite in the sky"], [["a kite", "a red kite in the sky"]]) == 1


def test_bleu_is_the_mean_of_the_precisions_and_the_penalty_for_brevity():
    # 5 of 6 words, 3 of 5 pairs, 2 of 4 triples, 1 of 3 fours are in the reference
    said, reference = "a red kite over the beach", "a red kite over a beach"
    expected = (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    assert bleu4([said], [[reference]]) == pytest.approx(expected)
    short = bleu4(["a red kite over"], [[reference]])
    assert short == pytest.approx(math.exp(1 - 6 / 4))


def test_r_precision_counts_pictures_whose_caption_comes_first():
    pool = torch.eye(WRONG + 1)
    wholes = torch.stack([pool[0], pool[1] + 0.1 * pool[2], pool[3]])
    right = torch.stack([pool[0], pool[2], pool[3]])  # the second one looks like another caption
    told = [0, 2, 3]
    assert r_precision(wholes, right, pool, told, range(WRONG + 1)) == pytest.approx(2 / 3)


def test_captions_that_say_the_same_are_no_rivals():
    pool = torch.cat([torch.eye(WRONG + 1), torch.eye(WRONG + 1)[:1]])
    whole = pool[:1]
    told = [*range(WRONG + 1), 0]  # the last one says what the first says
    assert r_precision(whole, whole, pool, [0], told) == 1
    with pytest.raises(ValueError, match="99 other captions"):
        r_precision(whole, whole, pool[:50], [0], range(50))
