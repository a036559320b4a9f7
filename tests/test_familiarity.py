"""The score by which pictures are told that look like nothing a captioner was taught."""

import json
import re
import shutil
from collections.abc import Callable

import numpy as np
import torch
from conftest import ROOT, Game, make_picture
from PIL import Image

from scripts.bundles import Bundle
from scripts.captioner.familiarity import familiarity
from scripts.page import standing, story
from scripts.records import unfamiliar
from scripts.training.captioner import normalise

ENOUGH = Bundle.read("storybook", ROOT / "models").captioner.familiar


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


def test_who_plays_a_strange_picture_is_told_once(new_game: Callable[[], Game]):
    """In the terminal, in the strip and on the page; of a familiar one nothing is said."""
    game = new_game()
    shutil.copytree(ROOT / "models" / "storybook", game.path("models", "storybook"))
    shutil.copy(ROOT / "input" / "cow.png", game.path("input", "cow.png"))
    make_picture(game.path("input", "noise.png"), size=(256, 256))
    game.path("input", "wish.txt").write_text("two brown cows on a beach\n")
    chains = ["cow", "noise", "noise@7", "wish"]
    call = game.play(*(f"results/{chain}/strip.png" for chain in chains), bundle="storybook")
    told = [line for line in call.text.splitlines() if "unlike" in line]
    assert len(told) == 1 and told[0].startswith("noise.png: ")
    score = float(re.search(r"familiarity ([0-9.]+)", told[0])[1])
    assert 0 < score < ENOUGH

    for chain in chains:
        record = json.loads(game.path(f"results/{chain}/captions/round1.json").read_text())
        strange = chain.startswith("noise")
        assert bool(unfamiliar(record)) == strange, record
        shown = story.tell(standing.chain(game.path("results", chain)), None, 100, "storybook")
        assert ("storybook" in shown["unfamiliar"]) == strange
        assert ("familiarity" in record) == (chain != "wish")
    # The note is beneath the base picture of the strip.
    heights = [Image.open(game.path(f"results/{chain}/strip.png")) for chain in ("noise", "cow")]
    below = [np.asarray(image.convert("RGB"))[300:, 16:272] for image in heights]
    assert [bool((part < 200).any()) for part in below] == [True, False]
    # A second call says nothing, and verifying finds the same.
    assert game.call("results/noise/strip.png", bundle="storybook").nothing
    game.play("verify", bundle="storybook")


def test_a_level_changes_no_caption(game: Game):
    """A bundle without a level says nothing; with one, what stands is not played again."""
    assert "unlike" not in game.play("results/cow/strip.png").text
    before = game.contents()
    assert "familiarity" not in before["cow/captions/round1.json"].decode()
    bundle = game.path("models", "tiny", "bundle.yaml")
    bundle.write_text(bundle.read_text() + "familiar: 1000\n")
    assert game.call("results/cow/strip.png").nothing
    assert game.contents() == before
    shutil.rmtree(game.path("results"))
    assert "cow.png: this picture is unlike" in game.play("results/cow/round1.png").text
    for name in ("round1.txt", "round1.png"):
        assert game.path("results", "cow", name).read_bytes() == before[f"cow/{name}"]
    bundle.write_text(bundle.read_text().replace("1000", "-1"))
    call = game.call("results/cow/round2.png")
    assert call.code and "bundle.yaml" in call.text and "familiar" in call.text
