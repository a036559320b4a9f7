"""AttnGAN's own way of learning: what its losses ask for, and that a painter follows them."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from scripts.attngan.discriminator import Discriminator
from scripts.attngan.generator import GeneratorConfig
from scripts.attngan.image_encoder import ImageEncoder, ImageEncoderConfig
from scripts.attngan.text_encoder import TextEncoder, TextEncoderConfig
from scripts.training.adversarial import (
    Budget,
    cut,
    identity,
    judging_loss,
    painting_loss,
    side_of,
    train,
)
from scripts.training.dataset import Batch, CaptionedPictures
from scripts.words import Vocabulary

CONFIG = GeneratorConfig(sentence=8, noise=4, condition=4, width=4, stages=1, residuals=1)


def dataset(folder: Path) -> CaptionedPictures:
    folder.mkdir()
    lines = []
    for name, colour in (("red", (210, 30, 30)), ("blue", (30, 30, 210))):
        Image.new("RGB", (90, 80), colour).save(folder / f"{name}.png")
        lines.append(json.dumps({"picture": f"{name}.png", "captions": [f"all {name}"]}))
    (folder / "captions.jsonl").write_text("\n".join(lines))
    return CaptionedPictures(folder, side_of(CONFIG), whole=False)


def learners() -> tuple[Vocabulary, TextEncoder, ImageEncoder]:
    torch.manual_seed(0)
    words = Vocabulary(("<end>", "all", "blue", "red"))
    text = TextEncoder(TextEncoderConfig(vocabulary=4, embedding=6, features=8)).eval()
    eyes = ImageEncoderConfig(backbone="mobilenet_v3_small", size=64, features=8, regions="8")
    return words, text, ImageEncoder(eyes)


def test_a_judge_that_knows_everything_has_nothing_to_learn():
    """Told by hand: real and fitting 1, painted 0, wrong caption 0."""

    class Sure(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = []

        def forward(self, pictures):
            return pictures.flatten(1)[:, :1] * 50  # real ones are 1, painted ones -1

        def conditional(self, features, sentence):
            fits = (features.flatten() > 0) & (sentence[:, 0] * 50 == features.flatten())
            return torch.where(fits, 50.0, -50.0)

        def unconditional(self, features):
            return torch.where(features.flatten() > 0, 50.0, -50.0)

    sizes = torch.tensor([1.0, 2.0, 3.0])[:, None, None, None]
    real, painted = sizes.expand(3, 3, 8, 8), -torch.ones(3, 3, 8, 8)
    sentence = torch.tensor([[1.0], [2.0], [3.0]])  # each real picture has its own
    assert judging_loss(Sure(), real, painted, sentence) < 1e-6
    assert painting_loss(Sure(), painted, sentence) > 90
    assert painting_loss(Sure(), real, sentence) < 1e-6
    # the same judge, with captions of the wrong pictures
    assert judging_loss(Sure(), real, painted, sentence.flip(0)) > 10


def test_pictures_are_cut_within_their_edges():
    torch.manual_seed(0)
    whole = torch.arange(76.0).expand(4, 3, 76, 76)
    parts = cut(whole, 64)
    assert parts.shape == (4, 3, 64, 64)
    steps = parts[:, 0, 0].diff(dim=1)
    assert set(steps.unique().tolist()) <= {-1.0, 1.0}


def test_a_picture_that_a_batch_holds_twice_is_the_same():
    records = [{"picture": name} for name in "abca"]
    assert identity(Batch(torch.zeros(4, 3, 1, 1), ["x"] * 4, records)).tolist() == [0, 1, 2, 0]


def test_judges_come_to_tell_and_the_painter_follows(tmp_path: Path):
    budget = Budget(steps=40, batch=8, rate=2e-3, width=8, matching=0.0)
    words, text, eyes = learners()
    painter = train(
        dataset(tmp_path / "d"), words, text, eyes, CONFIG, tmp_path / "n", budget
    ).eval()
    with torch.inference_mode():
        encoded, sentence = text(torch.tensor([[1, 3], [1, 2]]), torch.tensor([2, 2]))
        padding = torch.zeros(2, 2, dtype=torch.bool)
        z, eps = torch.randn(2, 4), torch.randn(2, 4)
        painted = painter(z, eps, encoded, sentence, padding).pictures[-1]
    assert painted.shape == (2, 3, 64, 64)
    green = painted[:, 1].mean()
    assert green < painted[:, [0, 2]].mean()  # nothing green was ever seen


def test_a_kill_loses_at_most_what_was_learnt_since_the_last_checkpoint(tmp_path: Path):
    words, text, eyes = learners()
    pictures = dataset(tmp_path / "d")
    first = Budget(steps=2, batch=2, width=2)
    train(pictures, words, text, eyes, CONFIG, tmp_path / "n", first)
    checkpoint = tmp_path / "n" / "checkpoint.pt"
    before = torch.load(checkpoint, weights_only=True)
    assert before["step"] == 2
    train(pictures, words, text, eyes, CONFIG, tmp_path / "n", Budget(steps=3, batch=2, width=2))
    after = torch.load(checkpoint, weights_only=True)
    assert after["step"] == 3
    assert after["painting"]["state"][0]["step"] == 3  # Adam went on, too


def test_discriminators_judge_each_stage_at_its_size():
    with pytest.raises(ValueError, match="power of 2"):
        Discriminator(96)
