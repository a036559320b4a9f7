"""The score by which pictures are told that look like nothing a captioner was taught."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from scripts.bundles import Bundle
from scripts.captioner.familiarity import familiarity
from scripts.training.captioner import normalise

ROOT = Path(__file__).parent.parent
ENOUGH = 1.0  # as the storybook's model card tells


def test_the_storybook_knows_its_own_pictures_and_no_noise():
    network = Bundle.read("storybook", ROOT / "models").network("captioner", "cpu")
    side = network.config.size

    def score(picture: torch.Tensor) -> float:
        return familiarity(network, normalise(picture * 2 - 1)[None])

    for path in ROOT.glob("input/*.png"):
        small = Image.open(path).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
        picture = torch.from_numpy(np.array(small)).permute(2, 0, 1) / 255
        assert score(picture) > ENOUGH, path
    torch.manual_seed(1)
    noise = torch.rand(3, side, side)
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 5, 5), size=side, mode="bilinear")[0]
    for strange in (noise, smooth):
        assert score(strange) < ENOUGH
