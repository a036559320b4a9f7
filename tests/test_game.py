"""The whole game, played by tiny networks: the file contract, one process, the same bytes."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as to
from conftest import ROOT, Call, Game, make_bundle, make_picture
from PIL import Image

from scripts.bundles import Bundle
from scripts.words import Vocabulary

ODD = "größe v1.2 (a) 'b'"  # blanks, dots, brackets, quotes, letters beyond ASCII
CHAINS = ["cow", "words", ODD, "cow@7", "cow+other", "cow@7+other"]
WATCH = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            with open(os.environ["TORCH_IMPORTS"], "a") as file:
                file.write(f"{os.getpid()}\\n")
sys.meta_path.insert(0, Watch())
"""


class Watched(Game):
    """A game which notes in which processes torch is imported."""

    def imports(self) -> list[str]:
        noted = self.path("imports.txt")
        return noted.read_text().split() if noted.exists() else []


@pytest.fixture(scope="module")
def watched(new_game: Callable[[], Game]) -> Watched:
    game = Watched(new_game().folder, fresh=True)
    game.path("watch").mkdir()
    game.path("watch", "sitecustomize.py").write_text(WATCH)
    make_bundle(game.path("models", "other"), seed=5)
    make_picture(game.path("input", f"{ODD}.JPG"), 3, (40, 23))
    game.path("input", "words.txt").write_text("  A red cow,\n near   the\ttree.\n\n")
    return game


@pytest.fixture(scope="module")
def played(watched: Watched) -> tuple[Watched, Call]:
    """Two rounds of everything, played in one call; and what the call said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(watched.path("watch")))
        patch.setenv("TORCH_IMPORTS", str(watched.path("imports.txt")))
        for dry in (["--dry-run"], ["--list-rules"], ["--lint"], ["--help"], ["--summary"]):
            watched.call(*dry)
        assert not watched.imports(), "torch was imported where nothing is played"
        others = [f"results/{chain}/round2.png" for chain in CHAINS[3:]]
        call = watched.call("all", *others, cores=2, terminal="snakemake")
    return watched, call


def test_a_game_is_played_and_then_nothing_is_left_to_do(played: tuple[Watched, Call]):
    game, call = played
    assert call.code == 0, call.text
    assert game.call().nothing
    for chain in CHAINS:
        assert game.call(f"results/{chain}/round2.png").nothing


def test_all_stages_share_one_process(played: tuple[Watched, Call]):
    game, call = played
    assert call.text.count("Finished jobid") == 6 * 4 + 3 + 2  # strips, page, all
    assert len(game.imports()) == 1


def test_every_file_of_the_contract_is_there(played: tuple[Watched, Call]):
    game, _ = played
    names = {f"round{n}.{ending}" for n in (1, 2) for ending in ("json", "png", "txt")}
    for chain in CHAINS:
        strip = {"strip.png"} if chain in CHAINS[:3] else set()
        assert set(os.listdir(game.path("results", chain))) == names | strip | {"captions"}
        said = game.path("results", chain, "captions")
        assert sorted(os.listdir(said)) == ["round1.json", "round2.json"]


def test_captions_are_one_line(played: tuple[Watched, Call]):
    game, _ = played
    for path in game.folder.glob("results/*/round*.txt"):
        text = path.read_bytes().decode("utf-8")
        assert text.endswith("\n") and text.count("\n") == 1
        assert text.strip() and "<" not in text


def test_a_base_text_is_the_first_caption(played: tuple[Watched, Call]):
    game, _ = played
    assert game.path("results/words/round1.txt").read_text() == "A red cow, near the tree.\n"


def test_a_round_is_what_the_networks_make_of_the_one_before(played: tuple[Watched, Call]):
    """Written anew from the contract, sharing only the networks."""
    game, _ = played
    bundle = Bundle.read("tiny", game.path("models"))
    captioner, reader, painter = (
        bundle.network(part, "cpu") for part in ("captioner", "text_encoder", "generator")
    )
    with Image.open(game.path("input/cow.png")) as file:
        square = file.convert("RGB").resize((32, 32), Image.Resampling.LANCZOS)
    for round_ in (1, 2):
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1).float() / 255
        pixels = to.normalize(pixels, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        words = Vocabulary.read(bundle.folder / "captioner.txt").words
        said = [words[number] for number in captioner.describe(pixels[None])[0]]
        caption = game.path(f"results/cow/round{round_}.txt").read_text()
        assert caption == " ".join(said) + "\n"

        known = Vocabulary.read(bundle.folder / "text_encoder.txt").words
        ids = torch.tensor([[known.index(word) for word in caption.split()]])
        digest = hashlib.blake2b(f"100/cow/{round_}/0".encode(), digest_size=8).digest()
        chance = torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
        z, eps = torch.randn(8, generator=chance), torch.randn(6, generator=chance)
        with torch.inference_mode():
            features, sentence = reader(ids, torch.tensor([ids.shape[1]]))
            painted = painter(z[None], eps[None], features, sentence, ids < 0).pictures[-1][0]
        expected = ((painted + 1) * 127.5).byte().permute(1, 2, 0).numpy()
        with Image.open(game.path(f"results/cow/round{round_}.png")) as picture:
            assert (picture.mode, picture.size) == ("RGB", (64, 64))
            assert abs(np.asarray(picture).astype(int) - expected).max() <= 1
            square = picture.resize((32, 32), Image.Resampling.LANCZOS)


def test_seeds_and_bundles_stand_side_by_side(played: tuple[Watched, Call]):
    game, _ = played
    first = {chain: game.path("results", chain, "round1.png").read_bytes() for chain in CHAINS}
    assert len(set(first.values())) == len(CHAINS)
    captions = {c: game.path("results", c, "round1.txt").read_text() for c in ("cow", "cow@7")}
    assert captions["cow"] == captions["cow@7"]


def test_the_record_says_how_a_picture_was_made(played: tuple[Watched, Call]):
    game, _ = played
    text = game.path("results/cow@7+other/round2.json").read_text("utf-8")
    record = json.loads(text)
    folder = game.path("models/other")
    assert text.endswith("}\n") and str(game.folder) not in text and str(ROOT) not in text
    assert {key: record[key] for key in ("chain", "image", "round", "candidate", "seed")} == {
        "chain": "cow@7+other",
        "image": "cow",
        "round": 2,
        "candidate": 0,
        "seed": 7,
    }
    caption = game.path("results/cow@7+other/round2.txt").read_text().strip()
    known = Vocabulary.read(folder / "text_encoder.txt")
    assert record["caption"] == caption
    assert known.spell(record["word_ids"]) == record["words"] == caption.split()
    assert record["bundle"]["name"] == "other"
    files = {path.name for path in folder.iterdir()} - {"bundle.yaml"}
    assert set(record["bundle"]["files"]) == files
    for name, digest in record["bundle"]["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    with Image.open(game.path("results/cow@7+other/round2.png")) as picture:
        assert record["size"] == list(picture.size)
        assert hashlib.sha256(picture.tobytes()).hexdigest() == record["pixels_sha256"]
    assert record["device"] in ("cpu", "cuda", "mps")
    assert record["versions"]["torch"] == torch.__version__


def test_words_that_the_generator_lacks_are_named(played: tuple[Watched, Call]):
    game, _ = played
    record = json.loads(game.path("results/words/round1.json").read_text())
    assert record["words"] == ["a", "red", "cow", "near", "the", "tree"]
    assert record["unknown_words"] == []


def test_a_picture_carries_its_own_story(played: tuple[Watched, Call]):
    game, _ = played
    with Image.open(game.path("results", ODD, "round2.png")) as picture:
        notes = picture.text
    caption = game.path("results", ODD, "round2.txt").read_text().strip()
    assert notes["caption"] == caption
    assert (notes["seed"], notes["round"], notes["bundle"]) == ("100", "2", "tiny")
    assert (notes["chain"], notes["image"]) == (ODD, ODD)


def test_the_same_bytes_on_one_core_alone_and_elsewhere(played: tuple[Watched, Call]):
    """Two cores and six chains at once gave the bytes that one core gives for one chain."""
    game, _ = played
    before = game.contents()
    elsewhere = game.path("elsewhere")
    elsewhere.mkdir()
    for name in ("input", "models", "config.yaml"):
        os.symlink(game.path(name), elsewhere / name)
    alone = Game(elsewhere, fresh=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Kathmandu")
        patch.setenv("LC_ALL", "C")
        alone.play("results/cow@7/round2.png", "results/words/round2.png")
    again = alone.contents()
    assert len(again) == 16
    assert again == {name: before[name] for name in again}


def test_one_more_round_is_one_more_round(played: tuple[Watched, Call]):
    game, _ = played
    before = game.times()
    call = game.play("results/cow@7/round3.png", terminal="snakemake")
    assert call.text.count("Finished jobid") == 2
    after = game.times()
    assert {name: after[name] for name in before} == before
    names = [f"round3.{ending}" for ending in ("json", "png", "txt")] + ["captions/round3.json"]
    assert set(after) - set(before) == {f"cow@7/{name}" for name in names}


def test_a_chain_of_many_rounds(game: Game):
    """Snakemake's recursion through the rounds would break Python's limit at about 240."""
    call = game.call("--dry-run", "--quiet", "all", "--", "results/cow/round400.png")
    assert call.code == 0, call.text[-2000:]
    game.play("results/cow/round30.png")
    assert len(list(game.folder.glob("results/cow/round*.png"))) == 30


def test_work_is_looked_for_once_a_stage(new_game: Callable[[], Game]):
    """Not again and again while chains wait, which would take longer than playing."""
    game = new_game()
    for number in range(3):
        make_picture(game.path("input", f"base{number}.png"), number)
    targets = [f"results/base{number}/round2.png" for number in range(3)]
    said = game.play(*targets, "--verbose").text
    assert said.count("Resources before job selection") == said.count("Rule: ") == 3 * 2 * 2


def test_the_workflow_lints_but_for_logs():
    """Stages run inside Snakemake's process and say nothing that a log could hold."""
    lint = subprocess.run(
        [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--lint"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    lines = [line.strip() for line in lint.stderr.splitlines()]
    linted = {line.split()[3] for line in lines if line.startswith("Lints for rule ")}
    assert {"caption", "generate", "strip", "drift", "study_attributes"} <= linted, lint.stderr
    assert {line for line in lines if line.startswith("* ")} == {"* No log directive defined:"}
    assert not [line for line in lines if line.startswith(("Lints for snakefile", "Traceback"))]


def test_stages_work_without_snakemake(tiny: Path, tmp_path: Path):
    from scripts.chains import parse
    from scripts.stages.caption import caption
    from scripts.stages.generate import generate

    bundle = Bundle.read("tiny", tiny.parent)
    base = make_picture(tmp_path / "cow.png")
    text, picture, record = (tmp_path / f"round1.{end}" for end in ("txt", "png", "json"))
    caption(base, text, tmp_path / "said.json", bundle, "cpu", 1)
    chain = parse("cow@7", 100, "tiny")
    generate(text, picture, record, chain=chain, round_=1, bundle=bundle, device="cpu", threads=1)
    assert not list(tmp_path.glob(".*"))
    assert json.loads(record.read_text())["caption"] == text.read_text().strip()


def test_a_caption_beyond_ascii_is_noted_whole(tiny: Path, tmp_path: Path):
    from scripts.chains import parse
    from scripts.stages.generate import generate

    text = tmp_path / "round1.txt"
    text.write_text("a cow — корова zebra\n", encoding="utf-8")
    bundle = Bundle.read("tiny", tiny.parent)
    generate(
        text,
        tmp_path / "a.png",
        tmp_path / "a.json",
        chain=parse("größe", 100, "tiny"),
        round_=1,
        bundle=bundle,
        device="cpu",
        threads=1,
    )
    record = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert record["words"] == ["a", "cow"] and record["unknown_words"] == ["zebra"]
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.text["caption"] == "a cow — корова zebra"
        assert picture.text["image"] == "größe"
