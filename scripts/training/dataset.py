"""Captioned pictures as the trainers read them: a folder with `captions.jsonl`.

Each line of `captions.jsonl` is one picture: `picture` (a path inside the folder) and `captions`
(a list of sentences). A rendered world may add `codes` (the noise that stands for the layout) and
`boxes` (where the objects are); the trainers do without where they are missing.
"""

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from scripts.errors import UserError
from scripts.untrusted import open_picture

REMEMBERED = 4 << 30  # bytes of decoded pictures that are kept


@dataclass(frozen=True)
class Batch:
    pictures: Tensor  # (B, 3, S, S) in [-1, 1]
    captions: list[str]  # one of each picture's, drawn at random
    records: list[dict]


class CaptionedPictures:
    """A dataset of square pictures; the order of batches depends on seed and step alone."""

    def __init__(self, folder: Path, side: int) -> None:
        """Raises UserError where the folder holds no readable `captions.jsonl`."""
        self.folder = folder
        self.side = side
        self.records = _read_records(folder / "captions.jsonl")
        self.memory = _Memory(len(self.records), side)

    def __len__(self) -> int:
        return len(self.records)

    def captions(self) -> list[str]:
        """All captions of all pictures."""
        return [caption for record in self.records for caption in record["captions"]]

    def batch(self, size: int, seed: int, step: int) -> Batch:
        """The batch of one step: the same, whatever came before it."""
        chance = random.Random(f"{seed}/{step}")
        indices = [chance.randrange(len(self)) for _ in range(size)]
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
        if picture.size != (self.side, self.side):
            picture = picture.resize((self.side, self.side), Image.Resampling.LANCZOS)
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


def _read_records(path: Path) -> list[dict]:
    if not path.is_file():
        raise UserError(
            f"{path} is missing: a dataset is a folder of pictures with a captions.jsonl."
        )
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            record = json.loads(line)
            if not record["picture"] or not record["captions"]:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f'{path}, line {number}: expected {{"picture": …, "captions": […]}}.'
            ) from None
        records.append(record)
    if not records:
        raise UserError(f"{path} is empty: there is nothing to learn from.")
    return records
