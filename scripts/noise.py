"""The noise that pictures are painted from: each picture's own, whatever is painted beside it."""

import hashlib

import torch
from torch import Tensor


def digest(seed: int, image: str, round_: int, candidate: int) -> bytes:
    """The eight bytes that all chance in a picture comes from."""
    return hashlib.blake2b(f"{seed}/{image}/{round_}/{candidate}".encode(), digest_size=8).digest()


def draw(
    seed: int, image: str, round_: int, candidate: int, noise: int, condition: int
) -> tuple[Tensor, Tensor]:
    """Noise for one picture: z (Z,), then that of the conditioning augmentation (C,).

    From its own generator on the CPU, so that no picture depends on the device, on the order in
    which pictures are painted, or on how many candidates there are.
    """
    generator = torch.Generator("cpu")
    # Shifted to 63 bits, since a generator's seed is a signed number.
    generator.manual_seed(int.from_bytes(digest(seed, image, round_, candidate), "big") >> 1)
    z = torch.randn(noise, generator=generator)  # (Z,)
    eps = torch.randn(condition, generator=generator)  # (C,)
    return z, eps
