"""An independent judge of pictures: what kind, colour, place and count it sees in a scene.

It learns from rendered scenes alone, has another architecture than every network of the bundle,
and nothing that paints or describes is ever trained against it.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from scripts.storybook.grammar import read
from scripts.storybook.world import COLOURS, JUMPING, KINDS, MOST, PLACES, Content
from scripts.training.augment import spoil
from scripts.training.dataset import CaptionedPictures
from scripts.training.progress import Progress

ANSWERS = {
    "kind": (*KINDS,),
    "colour": ("", *COLOURS),
    "place": PLACES,
    "count": tuple(range(1, MOST + 1)),
    "act": ("", JUMPING),
}


class Judge(nn.Module):
    """ShuffleNet v2 (Ma et al. 2018) with one answer for each question of a scene's content."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = torchvision.models.shufflenet_v2_x0_5(
            weights=None, num_classes=sum(map(len, ANSWERS.values()))
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Logits (B, answers) of each question; pictures (B, 3, S, S) in [-1, 1]."""
        sizes = [len(answers) for answers in ANSWERS.values()]
        return list(self.answers(pictures).split(sizes, dim=1))

    @torch.inference_mode()
    def look(self, pictures: Tensor) -> list[Content]:
        """What is in each picture."""
        choices = [logits.argmax(dim=1).tolist() for logits in self(pictures)]
        return [
            Content(*(ANSWERS[name][choice] for name, choice in zip(ANSWERS, row, strict=True)))
            for row in zip(*choices, strict=True)
        ]


def train(
    dataset: CaptionedPictures,
    folder: Path,
    *,
    steps: int,
    batch: int = 32,
    rate: float = 2e-3,
    seed: int = 3,
) -> Judge:
    """A judge after `steps` batches of rendered scenes; goes on from what `folder` holds."""
    torch.manual_seed(seed)
    judge = Judge().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    parts = {"judge": judge, "optimizer": optimizer, "schedule": schedule}
    progress = Progress(folder, parts, steps)
    for seen in progress.batches(dataset, batch, seed):
        contents = [read(caption) for caption in seen.captions]
        answers = judge(spoil(seen.pictures).to(memory_format=torch.channels_last))
        loss = sum(
            F.cross_entropy(logits, torch.tensor([known.index(getattr(c, name)) for c in contents]))
            for logits, (name, known) in zip(answers, ANSWERS.items(), strict=True)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        progress.log(loss=loss)
    return judge.eval()
