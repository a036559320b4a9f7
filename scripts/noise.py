"""The noise that pictures are painted from: each picture's own, whatever is painted beside it."""

import hashlib

import torch
from torch import Generator, Tensor


def digest(seed: int, image: str, round_: int, candidate: int | str) -> bytes:
    """The eight bytes that all chance in a picture comes from; or in what a word names instead."""
    return hashlib.blake2b(f"{seed}/{image}/{round_}/{candidate}".encode(), digest_size=8).digest()


def generator(seed: int, image: str, round_: int, candidate: int | str) -> Generator:
    """Where all chance of one picture comes from.

    Its own, and on the CPU, so that no picture depends on the device, on the order in which
    pictures are painted, or on how many candidates there are.
    """
    # Shifted to 63 bits, since a generator's seed is a signed number.
    number = int.from_bytes(digest(seed, image, round_, candidate), "big") >> 1
    return Generator("cpu").manual_seed(number)


def normal(chance: Generator, noise: int, condition: int) -> tuple[Tensor, Tensor]:
    """AttnGAN's noise: z (Z,), then that of the conditioning augmentation (C,)."""
    z = torch.randn(noise, generator=chance)  # (Z,)
    eps = torch.randn(condition, generator=chance)  # (C,)
    return z, eps


def draw(
    seed: int, image: str, round_: int, candidate: int, noise: int, condition: int
) -> tuple[Tensor, Tensor]:
    """AttnGAN's noise for one picture."""
    return normal(generator(seed, image, round_, candidate), noise, condition)
