"""An independent judge of pictures: tiny random models of transformers, loaded from folders."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, Game
from hubs import serving
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTokenizer,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
)  # fmt: skip

from scripts.drift.chain import look, table_of, vectors_of
from scripts.drift.measures import CURVES
from scripts.errors import UserError
from scripts.judge import Judge
from scripts.storybook.judge import ANSWERS, read_judge
from scripts.storybook.judge import Judge as Network
from scripts.study.chance import Chance

SMALL = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
         "num_attention_heads": 2}  # fmt: skip
SEEN = {**SMALL, "image_size": 32, "patch_size": 16}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("clip")
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(vocab={w: n for n, w in enumerate(words)}, merges=[])
    tokenizer.save_pretrained(folder)
    text = {**SMALL, "vocab_size": len(words), "max_position_embeddings": 12,
            "eos_token_id": len(words) - 1, "bos_token_id": len(words) - 2}  # fmt: skip
    CLIPModel(CLIPConfig(text_config=text, vision_config=SEEN, projection_dim=8)).save_pretrained(
        folder
    )
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("dino")
    ViTModel(ViTConfig(**SEEN), add_pooling_layer=False).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return str(folder)


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8))


def rows_of(judge: str) -> tuple[list[dict], dict[str, np.ndarray]]:
    played = look(
        picture(0), [picture(0), picture(1)], ["a cow", "a red kite"], meaning=None,
        judge=Judge.called(judge),
    )  # fmt: skip
    return table_of(played, None), vectors_of(played)


def test_a_judge_of_pictures_and_texts_compares_all(clip: str):
    rows, vectors = rows_of(clip)
    judge = Judge.called(clip)
    assert rows[0]["judge_base"] == pytest.approx(1, abs=1e-5)
    assert rows[1]["judge_base"] == pytest.approx(
        judge.picture(picture(0)) @ judge.picture(picture(1))
    )
    own = judge.picture(picture(1)) @ judge.sentence("a red kite")
    assert rows[1]["judge_own"] == pytest.approx(float(own), abs=1e-5)
    first = judge.picture(picture(1)) @ judge.sentence("a cow")
    assert rows[1]["judge_first"] == pytest.approx(float(first), abs=1e-5)
    chance = Chance({("b", name): vectors for name in "xy"})
    chains = [{**row, "chain": name, "image": name, "bundle": "b"} for name in "xy" for row in rows]
    levels = chance.levels(chains, "judge_base")
    assert levels[2] == pytest.approx(rows[1]["judge_base"], abs=1e-5)  # the two are alike
    assert {"judge_own", "judge_first", "judge_base"} <= set(CURVES)


def test_a_judge_of_pictures_alone_leaves_texts_out(dino: str):
    rows, _ = rows_of(dino)
    assert rows[1]["judge_own"] is None and rows[1]["judge_first"] is None
    assert -1 <= rows[1]["judge_base"] < 1


def test_a_judge_that_is_not_there_is_a_mistake_told_in_words(tmp_path: Path):
    with pytest.raises(UserError, match="the judge .*nowhere cannot be loaded"):
        Judge.called(str(tmp_path / "nowhere"))
    assert Judge.called(None) is None


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("own") / "judge.safetensors"
    save_file({name: t.contiguous() for name, t in Network().state_dict().items()}, path)
    return str(path)


def test_the_storybooks_judge_compares_pictures_and_what_captions_answer(own: str):
    rows, _ = rows_of(own)
    judge = Judge.called(own)
    assert rows[0]["judge_base"] == pytest.approx(1, abs=1e-5)
    seen = judge.picture(picture(1))
    assert rows[1]["judge_own"] == pytest.approx(
        float(seen @ judge.sentence("a red kite")), abs=1e-5
    )
    same, other = "a brown horse on a beach", "two brown cows in the snow"
    assert judge.sentence(same) @ judge.sentence("a brown horse at the beach") == pytest.approx(1)
    assert judge.sentence(same) @ judge.sentence(other) < 0.9
    assert judge.sentence("quarterly figures") is None


def test_a_picture_is_what_the_storybooks_judge_answers(own: str):
    """Question by question, shares of 1."""
    shares = read_judge(own).answer(picture(2)).split([*map(len, ANSWERS.values())])
    assert [float(share.sum()) for share in shares] == pytest.approx([1] * len(ANSWERS))


@pytest.mark.parametrize("contents", [None, b"", b"text", b"\x08" + bytes(7) + b"{}      "])
def test_a_file_that_is_no_judge_is_a_mistake_told_in_words(tmp_path: Path, contents: bytes | None):
    path = tmp_path / "judge.safetensors"
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(UserError, match="judge.safetensors: these are not the weights"):
        Judge.called(str(path))


LOOK = """
import sys
from PIL import Image
from scripts.judge import Judge
for name in sys.argv[1:]:
    print(*Judge.called(name).picture(Image.new("RGB", (40, 40), "red")))
"""


def test_a_judge_of_a_hub_is_the_one_of_its_commit(dino: str, tmp_path: Path):
    files = {path.name: path.read_bytes() for path in Path(dino).iterdir()}
    ViTModel(ViTConfig(**SEEN), add_pooling_layer=False).save_pretrained(tmp_path / "other")
    other = (tmp_path / "other" / "model.safetensors").read_bytes()
    with serving() as hub:
        repository = hub.model("org/dino", files)
        first = repository.names["main"]
        repository.commit({**files, "model.safetensors": other})
        asked = "org/dino", f"org/dino@{first}", dino
        looked = subprocess.run(
            [sys.executable, "-c", LOOK, *asked], cwd=ROOT, capture_output=True, text=True,
            env={**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache")},
        )  # fmt: skip
    assert looked.returncode == 0, looked.stderr
    newest, pinned, here = looked.stdout.splitlines()
    assert pinned == here != newest


def test_a_judge_that_lacks_weights_is_refused(dino: str, tmp_path: Path):
    shutil.copytree(dino, tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    kept = {name: t for name, t in load_file(weights).items() if "patch" not in name}
    save_file(kept, weights, metadata={"format": "pt"})
    with pytest.raises(UserError, match="lacks .* of its weights"):
        Judge.called(str(tmp_path / "cut"))


def test_a_missing_file_of_a_judge_is_told_before_anything_is_played(game: Game):
    call = game.call("results/cow/drift.tsv", judge="nowhere.safetensors")
    assert call.code == 1
    assert "there is no file nowhere.safetensors (judge)" in call.text
    assert "Traceback" not in call.text
