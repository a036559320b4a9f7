"""A training that survives being killed at any moment, and tells how it goes."""

import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from scripts.errors import UserError
from scripts.training.curves import draw
from scripts.training.dataset import Batch, CaptionedPictures

T = TypeVar("T")


class Stateful(Protocol):
    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict) -> object: ...


class Progress:
    """Step counter, checkpoints, and a table of losses of one training.

    `parts` are all that a checkpoint keeps (networks, optimisers, averages). A folder with a
    checkpoint is gone on from; one with a finished training has nothing left to do. With each
    checkpoint, the losses are drawn, and `show` is called to write a sample of what was learnt into
    `samples/<step>` (it chooses the ending). What is not a number is never kept: the training ends
    with a UserError instead.
    """

    def __init__(
        self,
        folder: Path,
        parts: Mapping[str, Stateful],
        steps: int,
        every: float = 60,
        show: Callable[[Path], None] | None = None,
    ) -> None:
        self.folder = folder
        self.parts = parts
        self.steps = steps
        self.every = every  # seconds between checkpoints
        self.show = show
        self.sums: dict[str, float] = defaultdict(float)
        self.counted = 0
        self.step = self._resume()

    def batches(self, dataset: CaptionedPictures, size: int, seed: int) -> Iterator[Batch]:
        """The batches that are left; a checkpoint is written now and then, and at the end."""
        yield from self._noted(dataset.batches(size, seed, self.step, self.steps))

    def steps_left(self) -> Iterator[int]:
        """The numbers of the steps that are left, for a training that makes its own batches."""
        yield from self._noted(range(self.step, self.steps))

    def _noted(self, things: Iterable[T]) -> Iterator[T]:
        saved = time.monotonic()
        for thing in things:
            yield thing
            self.step += 1
            if time.monotonic() - saved > self.every or self.step == self.steps:
                self._save()
                saved = time.monotonic()

    @property
    def share(self) -> float:
        """How much of the training is done, from 0 to 1."""
        return self.step / self.steps

    def log(self, every: int = 100, **losses: torch.Tensor) -> None:
        """Note a step's losses; the mean of each `every` steps becomes a line of losses.tsv.

        Raises UserError if one of them is not a number.
        """
        for name, loss in losses.items():
            value = loss.item()
            if not math.isfinite(value):
                raise self._lost(self.step + 1, f"the loss called {name} is {value}, not a number")
            self.sums[name] += value
        self.counted += 1
        if self.counted < every:
            return
        means = {name: total / self.counted for name, total in self.sums.items()}
        path = self.folder / "losses.tsv"
        new = not path.exists()
        with path.open("a", encoding="utf-8") as table:
            if new:
                table.write("\t".join(["step", "seconds", *means]) + "\n")
            values = [f"{mean:.5f}" for mean in means.values()]
            table.write("\t".join([str(self.step + 1), f"{time.time():.0f}", *values]) + "\n")
        self.sums.clear()
        self.counted = 0

    def _resume(self) -> int:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            return 0
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(checkpoint[name])
        return checkpoint["step"]

    def _save(self) -> None:
        checkpoint = {name: part.state_dict() for name, part in self.parts.items()}
        if not is_finite(checkpoint):
            raise self._lost(self.step, "some weights are not finite numbers")
        part = self.folder / "checkpoint.pt.part"
        torch.save({"step": self.step, **checkpoint}, part)
        os.replace(part, self.folder / "checkpoint.pt")
        if (self.folder / "losses.tsv").exists():
            draw(self.folder / "losses.tsv", self.folder / "losses.png")
        if self.show is not None:
            (self.folder / "samples").mkdir(exist_ok=True)
            self.show(self.folder / "samples" / f"{self.step:06}")

    def _lost(self, step: int, what: str) -> UserError:
        return UserError(
            f"{self.folder}: after step {step} {what}; nothing is learnt from there on. Usually the"
            " learning rate is too high: lower `rate` in training.yaml, and train again."
        )


def is_finite(state: Any) -> bool:
    """Whether all tensors in dictionaries and lists of them hold finite numbers."""
    if isinstance(state, torch.Tensor):
        return not state.is_floating_point() or bool(torch.isfinite(state).all())
    if isinstance(state, Mapping):
        return all(map(is_finite, state.values()))
    return all(map(is_finite, state)) if isinstance(state, list | tuple) else True
