"""How networks learn: one rise and fall of the learning rate, checkpoints, averaged weights."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from scripts.training.progress import Progress

Group = tuple[Iterable[nn.Parameter], float]  # parameters, and their share of the rate


@dataclass(frozen=True)
class Style:
    """What is common to all trainings of one kind of network."""

    rise: float = 0.1  # share of the steps in which the learning rate rises
    clip: float | None = 1.0  # largest norm of all gradients
    decay: float = 0.01  # of the weights (AdamW)
    betas: tuple[float, float] = (0.9, 0.999)
    average: float = 0.0  # how much of the averaged weights stays at each step; 0: no average


class Optimization:
    """The training of some modules, which goes on from what `folder` holds.

    Raises UserError as soon as a loss or a weight is not a number.
    """

    def __init__(
        self,
        modules: nn.Module,
        folder: Path,
        steps: int,
        rate: float,
        style: Style,
        *,
        groups: Iterable[Group] = (),
        show: Callable[[Path], None] | None = None,
    ) -> None:
        """`groups` are the parameters that learn, each with its share of the highest `rate`.

        Without them, all of the modules learn alike.
        """
        self.modules, self.style = modules, style
        shares = [(list(own), rate * share) for own, share in groups or [(modules.parameters(), 1)]]
        shares = [(own, highest) for own, highest in shares if own]
        self.optimizer = torch.optim.AdamW(
            [{"params": own} for own, _ in shares],
            lr=rate,
            betas=style.betas,
            weight_decay=style.decay,
        )
        self.schedule = one_cycle(self.optimizer, [each for _, each in shares], steps, style.rise)
        self.average = averaged(modules, style.average) if style.average else None
        parts = {"modules": modules, "optimizer": self.optimizer, "schedule": self.schedule}
        if self.average:
            parts["average"] = self.average
        self.progress = Progress(folder, parts, steps, show=show)

    def learn(self, loss: Tensor, **noted: Tensor) -> None:
        """One step that makes `loss` smaller; `noted` are the losses of losses.tsv."""
        self.progress.log(**(noted or {"loss": loss}))
        self.optimizer.zero_grad()
        loss.backward()
        if self.style.clip:
            nn.utils.clip_grad_norm_(self.modules.parameters(), self.style.clip)
        self.optimizer.step()
        self.schedule.step()
        if self.average:
            self.average.update_parameters(self.modules)

    def finish(self) -> None:
        """Put the averaged weights into the modules, if there are such."""
        if self.average:
            self.modules.load_state_dict(self.average.module.state_dict())


def one_cycle(
    optimizer: torch.optim.Optimizer, rates: list[float], steps: int, rise: float
) -> LRScheduler:
    """The learning rate's one rise and fall (Smith and Topin 2019, arXiv 1708.07120).

    `rates` are the highest of each group. A rise of less than a step is left out, since PyTorch's
    schedule divides by its length. A few steps are the beginning of a fall, so that they do learn.
    """
    whole = max(steps, 4)
    return OneCycleLR(optimizer, rates, whole, pct_start=rise if rise * whole > 1 else 0.0)


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """Running averages of a network's weights and of its batch norms' statistics."""
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
