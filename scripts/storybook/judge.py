"""An independent judge of pictures: what kinds, colours, place and count it sees in a scene.

It begins with ImageNet's backbone and learns from scenes that are laid out freely. Nothing that
paints or describes is ever trained against it.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from scripts.efficientnet import HEAD, EfficientNetLite0
from scripts.errors import UserError
from scripts.storybook.grammar import read
from scripts.storybook.world import COLOURS, JUMPING, KINDS, MOST, PLACES, Content
from scripts.training.augment import augment
from scripts.training.captioner import normalise
from scripts.training.dataset import CaptionedPictures
from scripts.training.optimization import Optimization, Style

ANSWERS = {
    "kind": (*KINDS,),
    "colour": ("", *COLOURS),
    "place": PLACES,
    "count": tuple(range(1, MOST + 1)),
    "act": ("", JUMPING),
    "other": ("", *KINDS),
    "other_colour": ("", *COLOURS),
}
SIDE = 128  # pixels, of the pictures that the judge looks at
FIXED = 6  # layers of the backbone that stay as they are: they see edges and textures
EYES = 0.3  # share of the rate at which the others learn
STYLE = Style(clip=None)


class Judge(nn.Module):
    """EfficientNet-Lite0 with one answer for each question of a scene's content."""

    def __init__(self) -> None:
        super().__init__()
        self.eyes = EfficientNetLite0().features
        self.answers = nn.Linear(2 * HEAD, sum(map(len, ANSWERS.values())))

    def features(self, pictures: Tensor) -> Tensor:
        """Mean and maximum of the last map, (B, 2 * 1280); pictures (B, 3, S, S) in [-1, 1]."""
        with torch.no_grad():
            x = self.eyes[:FIXED](normalise(pictures))
        x = self.eyes[FIXED:](x)
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Logits (B, answers) of each question; pictures (B, 3, S, S) in [-1, 1]."""
        sizes = [len(answers) for answers in ANSWERS.values()]
        return list(self.answers(self.features(pictures)).split(sizes, dim=1))

    @torch.inference_mode()
    def answer(self, picture: Image.Image) -> Tensor:
        """How likely each answer is in an RGB picture of any size, by question: (answers,)."""
        square = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None]  # (1, 3, S, S)
        return torch.cat([logits[0].softmax(dim=0) for logits in self(pixels / 127.5 - 1)])

    @torch.inference_mode()
    def look(self, pictures: Tensor) -> list[Content]:
        """What is in each picture."""
        choices = [logits.argmax(dim=1).tolist() for logits in self(pictures)]
        return [
            Content(*(ANSWERS[name][choice] for name, choice in zip(ANSWERS, row, strict=True)))
            for row in zip(*choices, strict=True)
        ]


def answered(caption: str) -> Tensor:
    """What a caption says in answer to each question: ones and zeros, (answers,).

    Of a question that it does not answer, all are 0. Raises no error, whatever it says.
    """
    content = read(caption)
    if not content.kind:
        return torch.zeros(sum(map(len, ANSWERS.values())))
    said = [getattr(content, name) for name in ANSWERS]
    return torch.cat([
        torch.tensor([float(answer == one) for answer in answers])
        for one, answers in zip(said, ANSWERS.values(), strict=True)
    ])  # fmt: skip


def read_judge(weights: Path | str) -> Judge:
    """The judge with these weights. Raises UserError if the file has none, or those of another."""
    judge = Judge().eval()
    try:
        judge.load_state_dict(load_file(weights))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise UserError(
            f"{weights}: these are not the weights of the storybook's judge"
            f" ({str(error).splitlines()[0]}); `snakemake training/judge.safetensors` makes them."
        ) from None
    return judge


def train(
    dataset: CaptionedPictures,
    backbone: dict[str, Tensor],
    folder: Path,
    *,
    steps: int,
    batch: int = 32,
    rate: float = 2e-3,
    seed: int = 3,
) -> Judge:
    """A judge after `steps` batches; goes on from what `folder` holds.

    `backbone` is the state of an EfficientNet-Lite0 to begin with.
    """
    torch.manual_seed(seed)
    judge = Judge()
    own = {name.removeprefix("features."): t for name, t in backbone.items() if "features." in name}
    judge.eyes.load_state_dict(own)
    judge.to(memory_format=torch.channels_last).train()
    judge.eyes[:FIXED].eval().requires_grad_(False)
    groups = [(judge.answers.parameters(), 1.0), (judge.eyes[FIXED:].parameters(), EYES)]
    run = Optimization(judge, folder, steps, rate, STYLE, groups=groups)
    for seen in run.progress.batches(dataset, batch, seed):
        contents = [read(caption) for caption in seen.captions]
        answers = judge(augment(seen.pictures).to(memory_format=torch.channels_last))
        loss = sum(
            F.cross_entropy(logits, torch.tensor([known.index(getattr(c, name)) for c in contents]))
            for logits, (name, known) in zip(answers, ANSWERS.items(), strict=True)
        )
        run.learn(loss)
    return judge.eval()
