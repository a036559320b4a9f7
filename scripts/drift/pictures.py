"""How far the pixels of one picture are from those of another."""

import numpy as np
from PIL import Image

SIDE = 64  # pixels at which pictures are compared


def pixels(picture: Image.Image) -> np.ndarray:
    """What is compared of an RGB picture: (SIDE, SIDE, 3), from 0 to 1."""
    small = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small, dtype=np.float32) / 255


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """1 for the same pixels, 0 for black beside white: 1 less the mean absolute difference."""
    return float(1 - np.abs(one - other).mean())
