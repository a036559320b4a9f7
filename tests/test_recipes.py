"""Recipes: what is wrong with them is told before the first training job, in one message."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file
from test_training import RECIPE, SIZES, draw_dataset

from scripts.bundles import Bundle
from scripts.errors import UserError
from scripts.networks import build
from scripts.training import checks, installation
from scripts.training.job import TrainingJob, save, write
from scripts.training.jobs import words
from scripts.training.recipe import Dataset, Recipe
from scripts.words import Vocabulary


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dataset, and a bundle of sizes and a recipe."""
    monkeypatch.chdir(tmp_path)
    draw_dataset(Path("pictures"))
    Path("models/mine").mkdir(parents=True)
    Path("models/mine/bundle.yaml").write_text(yaml.safe_dump(SIZES))
    return tmp_path


def recipe_of(text: str) -> Recipe:
    Path("models/mine/training.yaml").write_text(text)
    return Recipe.read("models/mine/training.yaml")


def recipe(section: str = "", **changes: object) -> Recipe:
    said = {**RECIPE, **(changes if not section else {})}
    if section:
        said[section] = {**RECIPE.get(section, {}), **changes}
    return recipe_of(yaml.safe_dump(said))


def bundle(**changes: dict) -> Bundle:
    sizes = {part: {**SIZES[part], **changes.get(part, {})} for part in SIZES}
    return Bundle(Path("models/mine"), sizes)


def told(call: object, *args: object) -> str:
    with pytest.raises(UserError) as caught:
        call(*args)
    return str(caught.value)


TEXTS = {
    "captioner.rate is '1e-3'": ("captioner", {"rate": "1e-3"}),
    "1.0e-3": ("damsm", {"rate": "1e-3"}),
    "captioner.rate is 0; ": ("captioner", {"rate": 0}),
    "captioner.rate is 'nan'": ("captioner", {"rate": float("nan")}),
    "captioner.steps is [3, 3]; it must be a list of three": ("captioner", {"steps": [3, 3]}),
    "captioner.steps is [1, 2, 3, 4]": ("captioner", {"steps": [1, 2, 3, 4]}),
    "captioner.steps is 3": ("captioner", {"steps": 3}),
    "captioner.steps.1 is 0": ("captioner", {"steps": [3, 0, 3]}),
    "captioner.batch is 1; it must be a whole number of at least 2": ("captioner", {"batch": 1}),
    "damsm.batch is 1": ("damsm", {"batch": 1}),
    "damsm.texts is 1": ("damsm", {"texts": 1}),
    "generator.batch is 1": ("generator", {"batch": 1}),
    "adversarial.batch is 1": ("adversarial", {"steps": 3, "batch": 1}),
    "captioner.eyes is 1.5; it must be a number from 0 to 1": ("captioner", {"eyes": 1.5}),
    "captioner.eyes is -1": ("captioner", {"eyes": -1}),
    "captioner.fixed is -1": ("captioner", {"fixed": -1}),
    "generator.together is -1": ("generator", {"together": -1}),
    "generator.texts is 2": ("generator", {"texts": 2}),
    "damsm.steps is [3]; it must be a list of two": ("damsm", {"steps": [3]}),
    "damsm.steps.1 is 0": ("damsm", {"steps": [3, 0]}),
    "damsm.steps has a third number": ("damsm", {"steps": [3, 3, 3]}),
    "damsm.steps begins with 0": ("damsm", {"steps": [0, 3]}),
    "damsm.steps needs a third number": ("generator", {"texts": 0.5}),
}


@pytest.mark.parametrize(("message", "change"), TEXTS.items(), ids=TEXTS)
def test_what_no_recipe_can_say_is_named_by_its_key(
    message: str, change: tuple[str, dict], workshop: Path
):
    section, values = change
    said = told(lambda: recipe(section, **values))
    assert f"models/mine/training.yaml: {message}" in said or message in said


def test_pretrained_eyes_need_no_first_job(workshop: Path):
    assert "must begin with 0" in told(lambda: recipe(pretrained="eyes.safetensors"))


MISFITS = {
    "generator.steps has 1 numbers; it must have 2": ("generator", {"steps": [3]}, {}),
    "generator.steps has 3 numbers; it must have 2": ("generator", {"steps": [3, 3, 3]}, {}),
    "generator.together is for later stages": (
        "generator",
        {"steps": [3], "together": 3},
        {"generator": {"stages": 1}},
    ),
    "adversarial.anchor needs": (
        "adversarial",
        {"steps": 3, "anchor": 1.0},
        {"generator": {"codes": []}},
    ),
    "captioner.fixed is 99, but": ("captioner", {"fixed": 99}, {}),
    "bundle.yaml: shufflenet_v2_x0_5 cannot be": (
        "captioner",
        {},
        {"image_encoder": {"backbone": "shufflenet_v2_x0_5"}},
    ),
    "must have the same backbone": (
        "captioner",
        {},
        {"captioner": {"backbone": "mobilenet_v3_large"}},
    ),
    "generator.sentence is 12; they must be the same": (
        "captioner",
        {},
        {"generator": {"sentence": 12}},
    ),
    "mine/bundle.yaml: generator: codes": ("captioner", {}, {"generator": {"noise": 3}}),
}


@pytest.mark.parametrize(("message", "said"), MISFITS.items(), ids=MISFITS)
def test_what_does_not_fit_the_bundle_is_named(message: str, said: tuple, workshop: Path):
    section, values, sizes = said
    assert message in told(checks.look_over, recipe(section, **values), bundle(**sizes))


def test_a_good_recipe_passes(workshop: Path):
    checks.look_over(recipe(), bundle())
    checks.look_over(recipe("captioner", fixed=6, eyes=0, steps=[1, 1, 1]), bundle())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"codes": [0, 2]}, "1.png has the codes [0, 2]"),
        ({"codes": [0]}, "1.png has 1 codes"),
        ({}, "1.png has 0 codes"),
    ],
)
def test_codes_that_the_noise_cannot_say_are_named(line: dict, message: str, workshop: Path):
    path = Path("pictures/captions.jsonl")
    lines = path.read_text().splitlines()
    record = {"picture": "1.png", "captions": ["a ball"], **line}
    path.write_text("\n".join([lines[0], json.dumps(record), *lines[2:]]))
    said = told(checks.look_over, recipe(), bundle())
    assert message in said and "0 to 1, 0 to 1" in said and "captions.jsonl" in said


def test_pretrained_eyes_are_looked_at(workshop: Path):
    torch.manual_seed(0)
    eyes = build(bundle(), "image_encoder").backbone.state_dict()
    plain = {name: tensor.contiguous() for name, tensor in eyes.items()}
    said = yaml.safe_dump(
        {**RECIPE, "pretrained": "eyes.safetensors", "damsm": {**RECIPE["damsm"], "steps": [0, 3]}}
    )
    save_file(plain, "eyes.safetensors")
    checks.look_over(recipe_of(said), bundle())
    first = next(iter(plain))
    save_file({**plain, first: torch.full_like(plain[first], float("nan"))}, "eyes.safetensors")
    assert f"{first} holds values that are not finite" in told(
        checks.look_over, recipe_of(said), bundle()
    )
    save_file({first: plain[first]}, "eyes.safetensors")
    assert "is missing, or has another shape" in told(checks.look_over, recipe_of(said), bundle())
    Path("eyes.safetensors").write_text("nothing")
    assert "no weights in safetensors" in told(checks.look_over, recipe_of(said), bundle())


# --- words


def count(threshold: int, *captions: str) -> list[str]:
    """Both vocabularies of captions, which one picture has."""
    record = {"picture": "0.png", "captions": list(captions)}
    Path("pictures/captions.jsonl").write_text(json.dumps(record))
    job = TrainingJob(bundle(), {"threshold": threshold}, Dataset(Path("pictures")))
    words.work(job, "captioner.txt", "text_encoder.txt")
    return [Path(name).read_text() for name in ("captioner.txt", "text_encoder.txt")]


def test_a_vocabulary_has_words(workshop: Path):
    assert "no word occurs 999 times in its 2 captions" in told(
        count, 999, "a red ball", "a blue ball"
    )
    assert "no caption has a word in the letters a to z" in told(count, 1, "一个红色的球")
    assert not Path("captioner.txt").exists() and not Path("text_encoder.txt").exists()
    assert count(1, "一个红色的球", "a ball")[1] == "<end>\na\nball\n"


def test_a_caption_that_is_no_list_is_not_learnt_letter_by_letter(workshop: Path):
    Path("pictures/captions.jsonl").write_text('{"picture": "0.png", "captions": "a red ball"}')
    job = TrainingJob(bundle(), {"threshold": 1}, Dataset(Path("pictures")))
    words.work(job, "captioner.txt", "text_encoder.txt")
    assert Path("text_encoder.txt").read_text() == "<end>\na\nball\nred\n"


# --- installing


@pytest.fixture
def learnt(workshop: Path) -> list[Path]:
    """Untrained networks, as if they had been trained; the captioner always says `ball`."""
    count(1, "a red ball", "a blue ball")
    known = {"captioner": Vocabulary.read("captioner.txt")}
    known["text_encoder"] = Vocabulary.read("text_encoder.txt")
    parts = [Path("captioner.txt"), Path("text_encoder.txt")]
    for part in SIZES:
        torch.manual_seed(0)
        network = build(bundle(), part, known.get(part))
        if part == "captioner":
            network.decoder.linear.bias.data[known[part].index["ball"]] = 99
        save(network, f"{part}.safetensors")
        parts.append(Path(f"{part}.safetensors"))
    return parts


def folder() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("models/mine").iterdir()}


def test_what_is_installed_is_known_again(learnt: list[Path]):
    how = bundle(), recipe(sizes={"generator": SIZES["generator"]})
    assert installation.install(learnt, *how, "installed.json") == ""
    assert {path.name for path in learnt} <= folder().keys() and ".new" not in folder()
    assert yaml.safe_load(folder()["bundle.yaml"]) == SIZES
    assert load_file("models/mine/generator.safetensors")["paint.0.conv.weight"].dtype == (
        torch.float16
    )
    assert installation.is_installed(bundle(), "installed.json")
    Path("models/mine/captioner.txt").write_text("others\n")
    assert not installation.is_installed(bundle(), "installed.json")
    assert not installation.is_installed(bundle(), "nothing.json")


def spoil(part: str, change: object) -> None:
    state = load_file(f"{part}.safetensors")
    name = next(name for name, w in state.items() if w.is_floating_point() and w.numel() > 1)
    save_file({**state, name: change(state[name])}, f"{part}.safetensors")


SPOILT = {
    "not a number": lambda w: w * float("nan"),
    "infinite": lambda w: w / 0,
    "too large for float16": lambda w: torch.full_like(w, 1e6),
}


@pytest.mark.parametrize("change", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("part", SIZES)
def test_weights_that_are_not_finite_are_not_installed(
    part: str, change: object, learnt: list[Path]
):
    how = bundle(), recipe()
    before = folder()
    spoil(part, change)
    said = told(installation.install, learnt, *how, "installed.json")
    assert "Nothing was installed; models/mine/ is as it was" in said
    assert folder() == before and not Path("installed.json").exists()


def test_a_captioner_that_says_nothing_is_not_installed(learnt: list[Path]):
    state = load_file("captioner.safetensors")
    state["decoder.linear.bias"][2] = 999  # <end>
    save_file(state, "captioner.safetensors")
    before = folder()
    said = told(installation.install, learnt, bundle(), recipe(), "installed.json")
    assert "says nothing about pictures/0.png" in said
    assert {**folder(), "training.yaml": b""} == {**before, "training.yaml": b""}


def test_a_captioner_whose_words_the_painter_does_not_know_is_told(learnt: list[Path]):
    state = load_file("captioner.safetensors")
    state["decoder.linear.bias"][3] = 999  # <unk>
    save_file(state, "captioner.safetensors")
    odd = installation.install(learnt, bundle(), recipe(), "installed.json")
    assert "<unk>" in odd and "Let it learn longer" in odd


def test_all_parts_are_installed_or_none(learnt: list[Path], monkeypatch: pytest.MonkeyPatch):
    how = bundle(), recipe()
    installation.install(learnt, *how, "installed.json")
    before = folder()
    spoil("generator", lambda w: w + 1)
    replace, moved = installation.os.replace, []

    def fails_late(source: object, target: object) -> None:
        moved.append(target)
        if len(moved) == 8:
            raise OSError(28, "No space left on device", str(target))
        replace(source, target)

    monkeypatch.setattr(installation.os, "replace", fails_late)
    said = told(installation.install, learnt, *how, "installed.json")
    assert "No space left on device" in said and folder() == before
    assert installation.is_installed(how[0], "installed.json")


def test_a_picture_that_is_gone_by_then_is_told(learnt: list[Path]):
    how = bundle(), recipe()
    Image.open("pictures/0.png")
    Path("pictures/0.png").write_bytes(b"no picture")
    assert "pictures/0.png" in told(installation.install, learnt, *how, "installed.json")


def test_weights_are_written_if_they_are_finite(tmp_path: Path):
    path = tmp_path / "w.safetensors"
    write({"a": torch.ones(2), "b": torch.ones(1, dtype=torch.long)}, path)
    with pytest.raises(UserError, match="w.safetensors: a would hold"):
        write({"a": torch.tensor([1.0, float("inf")])}, path)
    assert load_file(path)["a"].tolist() == [1.0, 1.0]
