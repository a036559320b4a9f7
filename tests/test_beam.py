"""Captions found by a wider search: likelier, scored, and greedy ones as they were."""

import itertools
import json
import shutil

import pytest
import torch
from conftest import Game
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.captioner.network import END, Captioner, CaptionerConfig, Decoder

TINY = CaptionerConfig(
    vocabulary=5, backbone="shufflenet_v2_x0_5", size=32, embedding=4, hidden=4, max_words=3
)


def decoder(seed: int) -> Decoder:
    torch.manual_seed(seed)
    made = Decoder(TINY)
    with torch.no_grad():
        made.linear.weight *= 6
    return made.eval()


def every_caption(made: Decoder, features: torch.Tensor) -> list[tuple[list[int], float]]:
    """All captions of up to three words, by teacher forcing: nothing is searched for."""
    words = [word for word in range(TINY.vocabulary) if word != END]
    found = []
    for length in range(TINY.max_words + 1):
        for caption in itertools.product(words, repeat=length):
            whole = [*caption, END] if length < TINY.max_words else [*caption]
            ids = torch.tensor([whole])  # (1, T)
            chances = made(features, ids, torch.tensor([len(whole)])).log_softmax(dim=1)  # (T, V)
            found.append(([*caption], float(chances.gather(1, ids.T).sum())))
    return sorted(found, key=lambda pair: -pair[1])


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_a_beam_that_forgets_nothing_finds_the_likeliest_captions(seed: int):
    made = decoder(seed)
    with torch.inference_mode():
        features = torch.randn(1, 4)
        best = every_caption(made, features)
        found = made.beam(features, 64)
        assert [caption for caption, _ in found[:4]] == [caption for caption, _ in best[:4]]
        for (_, score), (_, wanted) in zip(found, best, strict=False):
            assert score == pytest.approx(wanted, abs=1e-4)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_a_beam_of_one_is_greedy(seed: int):
    made = decoder(seed)
    with torch.inference_mode():
        features = torch.randn(1, 4)
        ids = made.greedy(features)[0].tolist()
        greedy = ids[: ids.index(END)] if END in ids else ids
        assert made.beam(features, 1)[0][0] == greedy


def test_captions_of_a_picture_are_those_that_describe_gives():
    torch.manual_seed(3)
    network = Captioner(TINY).eval()
    picture = torch.randn(1, 3, 32, 32)
    ((words, score),) = network.captions(picture)
    said = network.describe(picture)[0].tolist()
    assert words == (said[: said.index(END)] if END in said else said)
    assert score < 0


def test_scores_are_told_and_a_wider_beam_tells_more(game: Game):
    game.play("results/cow/round1.png")
    plain = game.contents()
    record = json.loads(plain["cow/round1.json"])
    told = json.loads(plain["cow/captions/round1.json"])
    assert record["captioner"] == {"beam": 1, "log_probability": told["log_probability"]}
    assert told["caption"] == record["caption"] and told["log_probability"] < 0
    shutil.rmtree(game.path("results/cow"))  # a chain that stands keeps its beam
    game.play("results/cow/round1.png", captioner="{beam: 4}")
    wide = json.loads(game.path("results/cow/captions/round1.json").read_text())
    assert wide["beam"] == 4 and len(wide["others"]) == 3
    scores = [wide["log_probability"], *(other["log_probability"] for other in wide["others"])]
    assert scores == sorted(scores, reverse=True)
    assert game.call("results/cow/round1.png", captioner="{beam: 4}").nothing
    shutil.rmtree(game.path("results/cow"))
    game.play("results/cow/round1.png")
    assert game.contents()["cow/round1.png"] == plain["cow/round1.png"]


@pytest.mark.parametrize("beam", ["0", "1.5", "many", "101"])
def test_a_beam_that_makes_no_sense_is_refused(game: Game, beam: str):
    call = game.call("results/cow/round1.png", captioner=f"{{beam: {beam}}}")
    assert call.code != 0
    assert "captioner.beam" in call.text and "from 1 to 100" in call.text


def test_a_text_that_somebody_put_there_is_painted_without_a_record(game: Game):
    game.path("results", "cow").mkdir(parents=True)
    game.path("results/cow/round1.txt").write_text("a red kite\n")
    game.play("results/cow/round1.png")
    assert game.path("results/cow/round1.txt").read_text() == "a red kite\n"
    assert json.loads(game.path("results/cow/round1.json").read_text())["captioner"] is None
