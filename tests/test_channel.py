"""What is between the rounds: channels, sampled captions, bundles in turn, painters alone."""

import io
import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from conftest import Game, make_bundle, make_picture
from PIL import Image, ImageFilter

from scripts import channel, noise
from scripts.captioner.network import END, CaptionerConfig, Decoder
from scripts.chains import parse
from scripts.channel import Disturbance, Passage
from scripts.errors import UserError
from scripts.study import doses
from scripts.study.chains import names
from scripts.tables import read_rows

CHANCE = partial(channel.chance_of, 100, "cow", 3)


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))


def through(written: str, seen: Image.Image) -> np.ndarray:
    passed = channel.picture_through(seen, Passage.read([written], "x").channel, CHANCE)
    assert passed.size == seen.size and passed.mode == "RGB"
    return np.array(passed, dtype=int)


# --- names


def test_a_name_tells_bundles_and_passage():
    chain = parse("cow@7+coco,tiny~blur-2~drop-0.1", 100, "storybook")
    assert (chain.image, chain.seed, chain.bundle) == ("cow", 7, "coco")
    assert [chain.bundle_at(n) for n in (1, 2, 3)] == ["coco", "tiny", "coco"]
    assert chain.passage == ("blur-2", "drop-0.1")
    assert chain.played_by == "coco,tiny~blur-2~drop-0.1"
    own = parse("cow+~blur-2", 100, "storybook")
    assert (own.bundle, own.bundles, own.played_by) == ("storybook", (), "storybook~blur-2")
    assert parse("cow", 100, "storybook", ["jpeg-20"]).passage == ("jpeg-20",)
    assert parse("cow+~none", 100, "storybook", ["jpeg-20"]).passage == ()
    assert parse("PICTUR~1", 100, "storybook").image == "PICTUR~1"  # as it ever was


@pytest.mark.parametrize("name", ["cow+", "cow+~", "cow+a,", "cow+,a", "cow+a+b", "+~blur-2"])
def test_a_name_that_is_none_is_refused(name: str):
    with pytest.raises(UserError, match="cow|name of a chain"):
        parse(name, 100, "storybook")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (["blurr-2"], "nothing that can be between the rounds"),
        (["blur"], "nothing that can be between the rounds"),
        (["blur--1"], "nothing that can be between the rounds"),
        (
            ["drop-1.5"],
            "the level of drop is the chance of a word to be lost: a number from 0 to 1",
        ),
        (["words-2.5"], "a whole number from 1 to 100"),
        (["jpeg-0"], "a whole number from 1 to 95"),
        (["blur-2.0"], "write blur-2 for blur-2.0"),
        (["blur-1", "blur-2"], "blur is there twice"),
        (["top_p-0.9"], "top_p needs a temperature"),
    ],
)
def test_a_passage_that_is_none_is_told_in_words(written: list[str], said: str):
    with pytest.raises(UserError, match=f"here: .*{said}"):
        Passage.read(written, "here")


def test_a_study_has_channels_as_a_factor():
    study = {"bases": ["*"], "seeds": [1], "bundles": ["a", "a,b"], "baselines": True,
             "channels": ["none", "blur-1"]}  # fmt: skip
    assert names(["cow"], study, 1, "a") == [
        "cow", "cow+~blur-1", "cow+~repeat", "cow+a,b", "cow+a,b~blur-1", "cow+a,b~repeat",
    ]  # fmt: skip
    assert names(["cow"], study, 1, "a", ["blur-1"])[:2] == ["cow+~none", "cow"]


# --- pictures and captions


def test_disturbed_pictures_are_what_their_names_say():
    seen = picture()
    plain = np.array(seen, dtype=int)
    blurred = np.array(seen.filter(ImageFilter.GaussianBlur(2)), dtype=int)
    assert (through("blur-2", seen) == blurred).all()
    file = io.BytesIO()
    seen.save(file, "JPEG", quality=20)
    assert (through("jpeg-20", seen) == np.array(Image.open(file), dtype=int)).all()
    covered = (through("occlude-0.25", seen) == 127).all(axis=2)
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == (20, 30)
    noisy = through("noise-0.05", np_grey := Image.new("RGB", (200, 200), (127,) * 3)) - 127
    assert np_grey.size == (200, 200) and noisy.std() / 255 == pytest.approx(0.05, rel=0.03)
    for kind in ("blur-0", "noise-0", "occlude-0"):
        assert (through(kind, seen) == plain).all()
    assert (through("occlude-1", seen) == 127).all()


def test_words_are_lost_by_chance_and_one_always_stays():
    said = " ".join(f"w{n}" for n in range(100))

    def passed(written: str, round_: int = 3) -> list[str]:
        chance = partial(channel.chance_of, 100, "cow", round_)
        return channel.text_through(said, Passage.read([written], "x").channel, chance).split()

    assert passed("words-4") == ["w0", "w1", "w2", "w3"]
    assert passed("drop-0") == said.split() and len(passed("drop-1")) == 1
    kept = passed("drop-0.3")
    assert 55 < len(kept) < 85 and kept == passed("drop-0.3") != passed("drop-0.3", 4)
    # what a weaker channel loses, a stronger one loses, too
    assert set(passed("drop-0.6")) < set(kept)


def test_chance_is_that_of_the_contracts_digests():
    drawn = torch.rand(3, generator=CHANCE("drop"))
    digest = noise.digest(100, "cow", 3, "drop")
    own = torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
    assert torch.equal(drawn, torch.rand(3, generator=own))


# --- sampled captions


def test_captions_are_sampled_as_the_network_says():
    torch.manual_seed(0)
    decoder = Decoder(CaptionerConfig(vocabulary=6, embedding=4, hidden=4, max_words=1)).eval()
    features = torch.randn(1, 4)
    with torch.inference_mode():
        logits, _ = decoder.say(features, None)
        wanted = (logits[0].double() / 0.5).softmax(dim=0)
        drawn = [
            decoder.sample(features, 0.5, 1.0, torch.Generator().manual_seed(n))
            for n in range(2000)
        ]
        first = [said[0] if said else END for said, _ in drawn]
        shares = torch.bincount(torch.tensor(first), minlength=6) / len(first)
        assert torch.allclose(shares.double(), wanted, atol=0.04)
        for said, score in drawn[:20]:
            word = said[0] if said else END
            assert score == pytest.approx(float(logits[0].double().log_softmax(0)[word]), abs=1e-6)
        few = {tuple(decoder.sample(features, 0.5, 0.01, torch.Generator().manual_seed(n))[0])
               for n in range(20)}  # fmt: skip
        best = int(logits.argmax())
        assert few == {() if best == END else (best,)}


# --- in the game


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Game:
    game = Game(tmp_path_factory.mktemp("channel"))
    make_bundle(game.path("models", "tiny"))
    make_bundle(game.path("models", "other"), seed=5)
    make_picture(game.path("input", "cow.png"))
    game.path("config.yaml").write_text("bundle: tiny\nrounds: 3\n")
    others = ("~none", "~noise-0.5~drop-0.5", "~repeat", "tiny,other", "~temperature-3")
    chains = ["cow", *(f"cow+{end}" for end in others)]
    # The rounds of a painter alone hang on nothing but the first caption.
    alone = [f"results/cow+~repeat/round{n}.png" for n in (1, 2)]
    game.play(*(f"results/{name}/round3.png" for name in chains), *alone)
    game.play("verify", verify=1)
    return game


def text(game: Game, chain: str, round_: int) -> str:
    return game.path("results", chain, f"round{round_}.txt").read_text()


def record(game: Game, chain: str, round_: int) -> dict:
    return json.loads(game.path("results", chain, f"round{round_}.json").read_text())


def test_nothing_between_is_the_same_game(played: Game):
    for file in ("round3.txt", "round3.png"):
        plain, none = (played.path("results", chain, file).read_bytes()
                       for chain in ("cow", "cow+~none"))  # fmt: skip
        assert plain == none or file.endswith("png")
    assert (
        record(played, "cow", 3)["pixels_sha256"] == record(played, "cow+~none", 3)["pixels_sha256"]
    )
    assert set(record(played, "cow", 2)["captioner"]) == {"beam", "log_probability"}


def test_a_channel_begins_after_round_one_and_is_recorded(played: Game):
    name = "cow+~noise-0.5~drop-0.5"
    assert text(played, name, 1) == text(played, "cow", 1)
    told = record(played, name, 2)["captioner"]
    assert told["channel"] == ["noise-0.5", "drop-0.5"]
    came, said = text(played, name, 2).split(), told["said"].split()
    assert len(came) < len(said) and set(came) <= set(said)


def test_a_painter_alone_is_told_the_first_caption_again(played: Game):
    assert {text(played, "cow+~repeat", n) for n in (1, 2, 3)} == {text(played, "cow", 1)}
    pixels = {record(played, "cow+~repeat", n)["pixels_sha256"] for n in (1, 2, 3)}
    assert len(pixels) == 3
    assert record(played, "cow+~repeat", 1)["pixels_sha256"] in pixels


def test_bundles_play_in_turn(played: Game):
    chain = "cow+tiny,other"
    assert [record(played, chain, n)["bundle"]["name"] for n in (1, 2, 3)] == [
        "tiny", "other", "tiny",
    ]  # fmt: skip
    assert text(played, chain, 1) == text(played, "cow", 1)


def test_sampled_captions_are_others_and_come_out_again(played: Game):
    name = "cow+~temperature-3"
    assert text(played, name, 1) != text(played, "cow", 1)
    assert record(played, name, 1)["captioner"]["temperature"] == 3
    first = text(played, name, 2)
    shutil.rmtree(played.path("results", name))
    played.play(f"results/{name}/round2.png")
    assert text(played, name, 2) == first


def test_a_chain_keeps_its_channel_as_it_keeps_its_seed(played: Game):
    assert played.call("results/cow/round3.png", "-n").nothing
    assert played.call("results/cow+tiny,other/round3.png", "-n").nothing
    call = played.call("results/cow/round3.png", "-n", channel="[drop-0.5]")
    assert (
        call.code != 0 and "played with channel none; this call's is channel drop-0.5" in call.text
    )
    assert "results/cow+~drop-0.5/" in call.text
    assert played.call("results/cow+~none/round3.png", "-n", channel="[drop-0.5]").nothing


def test_a_channel_that_is_none_is_told_in_words(played: Game):
    call = played.call("results/cow+~blurr-2/round1.txt")
    assert call.code != 0 and "nothing that can be between" in call.text
    assert "Traceback" not in call.text
    call = played.call(
        "results/cow+~temperature-2/round1.txt", captioner="{beam: 3, temperature: 1}"
    )
    assert call.code != 0 and "either sampled (temperature) or searched" in call.text


def test_a_study_draws_doses(played: Game):
    played.play(
        "results/study/doses.svg", "results/study/README.md",
        study="{bases: [cow], channels: [none, drop-0.5, drop-0.9], baselines: true}",
    )  # fmt: skip
    found = read_rows(played.path("results/study/doses.tsv"))
    levels = [row["level"] for row in found if row["measure"] == "bleu_first"]
    assert levels == [None, 0.5, 0.9]
    assert doses.dose("storybook~blur-2") == ("storybook", "blur", 2.0)
    assert doses.dose("a~b-c") == ("a~b-c", "", None)
    assert "Painters alone" in played.path("results/study/README.md").read_text()


def test_levels_are_written_as_they_are_read():
    assert (
        str(Disturbance("drop", 0.1)) == "drop-0.1" and str(Disturbance("jpeg", 20.0)) == "jpeg-20"
    )
