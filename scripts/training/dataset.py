"""Captioned pictures as the trainers read them: a folder of pictures and a list of captions.

The list is COCO's annotation JSON, or the folder's own `captions.jsonl` (read by annotations.py).
Each line of that is one picture: `picture` (a path inside the folder) and `captions` (a list of
sentences). It may add a `weight`, how often the picture is drawn in comparison with the others (1
if it is not told). A rendered world may add `codes` (the noise that stands for the layout) and
`boxes` (where the objects are); the trainers do without where they are missing.
"""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from scripts.training import annotations as lists
from scripts.untrusted.pictures import open_picture

REMEMBERED = 4 << 30  # bytes of decoded pictures that are kept


@dataclass(frozen=True)
class Batch:
    pictures: Tensor  # (B, 3, S, S) in [-1, 1]
    captions: list[str]  # one of each picture's, drawn at random
    records: list[dict]


class CaptionedPictures:
    """A dataset of square pictures; the order of batches depends on seed and step alone."""

    def __init__(
        self, folder: Path, side: int, annotations: Path | None = None, *, whole: bool = True
    ) -> None:
        """Pictures are brought to `side` pixels square: squeezed, or cut if not `whole`.

        `annotations` is a COCO annotation JSON; without it, the folder has a `captions.jsonl`.
        Raises UserError where the list cannot be read.
        """
        self.folder = folder
        self.side = side
        self.whole = whole
        self.records = lists.read(folder, annotations)
        self.weights = list(accumulate(record.get("weight", 1) for record in self.records))
        self.memory = _Memory(len(self.records), side)

    def __len__(self) -> int:
        return len(self.records)

    def captions(self) -> list[str]:
        """All captions of all pictures."""
        return [caption for record in self.records for caption in record["captions"]]

    def batch(self, size: int, seed: int, step: int) -> Batch:
        """The batch of one step: the same, whatever came before it."""
        chance = random.Random(f"{seed}/{step}")
        indices = chance.choices(range(len(self)), cum_weights=self.weights, k=size)
        records = [self.records[index] for index in indices]
        captions = [chance.choice(record["captions"]) for record in records]
        return Batch(self.pictures(indices), captions, records)

    def batches(self, size: int, seed: int, first: int, last: int) -> Iterator[Batch]:
        """Batches of the steps from `first` up to `last`; the next one is read meanwhile."""
        with ThreadPoolExecutor(1) as reader:
            following = reader.submit(self.batch, size, seed, first)
            for step in range(first + 1, last + 1):
                batch, following = following.result(), reader.submit(self.batch, size, seed, step)
                yield batch

    def pictures(self, indices: list[int]) -> Tensor:
        """(B, 3, S, S) in [-1, 1]."""
        return torch.stack([self.picture(index) for index in indices]).float() / 127.5 - 1

    def picture(self, index: int) -> Tensor:
        """(3, S, S) of bytes."""
        return self.memory.recall(index, self._read)

    def _read(self, index: int) -> Tensor:
        picture = open_picture(self.folder / self.records[index]["picture"])
        square = (self.side, self.side)
        if not self.whole:
            picture = ImageOps.fit(picture, square, Image.Resampling.LANCZOS)
        elif picture.size != square:
            picture = picture.resize(square, Image.Resampling.LANCZOS)
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()


class _Memory:
    """Pictures that were read once, in one block of memory, if they all fit into REMEMBERED.

    (One block, since thousands of small ones among those of decoding leave eightfold gaps.)
    """

    def __init__(self, number: int, side: int) -> None:
        fits = number * 3 * side * side <= REMEMBERED
        self.pixels = torch.empty(number if fits else 0, 3, side, side, dtype=torch.uint8)
        self.known = [False] * len(self.pixels)

    def recall(self, index: int, read: Callable[[int], Tensor]) -> Tensor:
        if index >= len(self.known):
            return read(index)
        if not self.known[index]:
            self.pixels[index] = read(index)
            self.known[index] = True
        return self.pixels[index]
