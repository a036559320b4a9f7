"""Training from captioned pictures to a bundle that plays; and what a kill leaves of it."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from conftest import ROOT, Game
from PIL import Image, ImageDraw
from safetensors.torch import load_file
from snakemake.api import SnakemakeApi
from snakemake.settings.enums import Quietness
from snakemake.settings.types import OutputSettings, ResourceSettings

from scripts.attngan.generator import Generator, GeneratorConfig, as_codes
from scripts.attngan.image_encoder import ImageEncoder, ImageEncoderConfig
from scripts.attngan.transposed import use_transposed
from scripts.captioner.network import Captioner, CaptionerConfig
from scripts.efficientnet import EfficientNetLite0
from scripts.errors import UserError
from scripts.training.captioner import lend_eyes, normalise
from scripts.training.dataset import CaptionedPictures
from scripts.training.job import save
from scripts.training.known_noise import noise_for
from scripts.training.painter import contrast, detail, distance
from scripts.training.progress import Progress
from scripts.training.vocabulary import captioner_vocabulary, painter_vocabulary

SIZES = {
    "captioner": {"backbone": "mobilenet_v3_small", "size": 64, "embedding": 16, "hidden": 16},
    "text_encoder": {"embedding": 12, "features": 16},
    "image_encoder": {
        "backbone": "mobilenet_v3_small",
        "size": 64,
        "features": 16,
        "regions": "8",
    },
    "generator": {
        "sentence": 16,
        "noise": 4,
        "codes": [2, 2],
        "condition": 6,
        "width": 4,
        "stages": 2,
        "residuals": 1,
    },
}
RECIPE = {
    "dataset": "pictures",
    "side": 128,
    "captioner": {"steps": [3, 3, 2], "paintings": 4, "batch": 4, "rate": 1e-3, "threshold": 1},
    "damsm": {"steps": [3, 3], "batch": 4, "texts": 4, "rate": 1e-3},
    "generator": {"steps": [3, 2], "polish": 2, "batch": 4, "rate": 1e-3},
}


def draw_dataset(folder: Path) -> Path:
    """Red and blue balls on the left and on the right, before light and dark walls."""
    folder.mkdir(parents=True)
    records = []
    for number in range(8):
        red, right, dark = number & 1, (number >> 1) & 1, (number >> 2) & 1
        picture = Image.new("RGB", (128, 128), "#444" if dark else "#ddd")
        box = (70, 40, 118, 88) if right else (10, 40, 58, 88)
        ImageDraw.Draw(picture).ellipse(box, fill="#d22" if red else "#22d")
        picture.save(folder / f"{number}.png")
        colour = "red" if red else "blue"
        captions = [f"a {colour} ball by a wall", f"there is a {colour} ball"]
        share = [edge / 128 for edge in box]
        record = {"picture": f"{number}.png", "captions": captions}
        records.append({**record, "codes": [right, dark], "boxes": [share]})
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "captions.jsonl").write_text(lines)
    return folder


def furnish(game: Game) -> Game:
    """A game with a dataset and a bundle of sizes and a recipe, but no weights."""
    draw_dataset(game.path("pictures"))
    game.path("models", "mine").mkdir()
    game.path("models", "mine", "bundle.yaml").write_text(yaml.safe_dump(SIZES))
    game.path("models", "mine", "training.yaml").write_text(yaml.safe_dump(RECIPE))
    return game


@pytest.fixture
def workshop(game: Game) -> Game:
    return furnish(game)


@pytest.fixture(scope="module")
def trained(new_game: Callable[[], Game]) -> Game:
    """A workshop in which all training jobs were learnt."""
    workshop = furnish(new_game())
    workshop.play("train", "--force-use-threads", bundle="mine")
    return workshop


@pytest.fixture
def edited(trained: Game) -> Iterator[Callable[..., Path]]:
    """Notes a file of the workshop that is about to be edited, which is put right at the end."""
    before = {}

    def about_to_edit(*place: str) -> Path:
        path = trained.path(*place)
        before[path] = path.read_bytes()
        return path

    yield about_to_edit
    for path, content in before.items():
        path.write_bytes(content)


def test_training_makes_a_bundle_that_plays(trained: Game):
    workshop = trained
    made = {path.name for path in workshop.path("models", "mine").iterdir()}
    parts = ("captioner", "text_encoder", "image_encoder", "generator")
    assert {f"{part}.safetensors" for part in parts} <= made
    assert {"captioner.txt", "text_encoder.txt"} <= made
    shutil.copy(workshop.path("pictures", "1.png"), workshop.path("input", "ball.png"))
    workshop.play("results/ball+mine/round1.txt")
    workshop.path("input", "wish.txt").write_text("a red ball")
    workshop.play("results/wish+mine/round1.png")
    assert Image.open(workshop.path("results", "wish+mine", "round1.png")).size == (128, 128)


def test_a_painter_may_begin_with_eyes_that_know_and_stages_that_learnt_alone(workshop: Game):
    """Pretrained eyes, texts that learn along, stages that read, another dataset to describe."""
    sizes = {
        part: {**SIZES[part], "backbone": "efficientnet_lite0"}
        for part in ("captioner", "image_encoder")
    }
    sizes["image_encoder"]["last"] = "15"
    sizes["generator"] = {**SIZES["generator"], "mapping": 4, "reads": True}
    recipe = {
        **RECIPE,
        "sizes": sizes,
        "pretrained": "eyes.safetensors",
        "captioner": {
            **RECIPE["captioner"],
            "dataset": "more",
            "eyes": 0.5,
            "fixed": 6,
            "words": 0.2,
        },
        "damsm": {**RECIPE["damsm"], "steps": [0, 2, 2]},
        "generator": {**RECIPE["generator"], "polish": 0, "texts": 0.1, "together": 2},
    }
    torch.manual_seed(1)
    save(EfficientNetLite0(), workshop.path("eyes.safetensors"))
    draw_dataset(workshop.path("more"))
    workshop.path("models", "mine", "training.yaml").write_text(yaml.safe_dump(recipe))
    workshop.play("train", bundle="mine")
    assert yaml.safe_load(workshop.path("models", "mine", "bundle.yaml").read_text()) == {
        **SIZES,
        **sizes,
    }
    made = workshop.path("training", "mine")
    learnt = load_file(made / "text_encoder.safetensors")
    before = load_file(made / "damsm_texts.safetensors")
    assert any(not torch.equal(learnt[name], before[name]) for name in before)
    seen = load_file(made / "captioner.safetensors")
    kept = load_file(workshop.path("eyes.safetensors"))
    first = "features.1.layers.0.weight"
    assert torch.equal(seen[f"encoder.backbone.{first}"], kept[first])
    # Pictures meet the changed texts with the captioner's backbone, as it was before its last job.
    spoke = load_file(made / "captioner_of_pictures.safetensors")
    met = load_file(made / "image_encoder.safetensors")
    last = "14.layers.6.weight"
    assert torch.equal(met[f"backbone.{last}"], spoke[f"encoder.backbone.features.{last}"])
    workshop.path("input", "wish.txt").write_text("a red ball")
    workshop.play("results/wish+mine/round2.txt")


def test_each_job_shows_how_it_goes(trained: Game):
    workshop = trained
    (stage,) = workshop.path("training", "mine", "generator").glob("*/stage2")
    (sample,) = (stage / "samples").iterdir()
    assert Image.open(sample).width > 4 * 128
    for job in ("backbone", "text_encoder"):
        (encoders,) = workshop.path("training", "mine", job).glob("*/samples/*.txt")
        assert "of 4 captions are found" in encoders.read_text()


EVERY_JOB = {
    "count_words",
    "train_backbone",
    "train_captioner",
    "train_damsm",
    "train_first_stage",
    "train_generator",
    "paint_captions",
    "finetune_captioner",
    "train",
}


def jobs_ahead(game: Game, *targets: str, **settings: object) -> set[str]:
    """The rules that a call would run."""
    call = game.play("-n", *targets, **settings)
    return {line.split()[0] for line in call.text.splitlines() if re.search(r"^\w+ +\d+$", line)}


def test_a_workshop_in_which_all_was_learnt_has_nothing_to_do(trained: Game):
    for picture in trained.path("pictures").glob("*.png"):
        picture.touch()
    assert trained.call("train", bundle="mine").nothing


def set_in_recipe(path: Path, section: str, key: str, value: object) -> None:
    recipe = yaml.safe_load(path.read_text())
    recipe[section][key] = value
    path.write_text(yaml.safe_dump(recipe))


AFTER_WORDS = EVERY_JOB - {"count_words"}
CONCERNED = {
    ("captioner", "paintings", 5): {"paint_captions", "finetune_captioner", "train"},
    ("captioner", "steps", (3, 3, 4)): {"finetune_captioner", "train"},
    ("generator", "steps", (3, 4)): {
        "train_generator",
        "paint_captions",
        "finetune_captioner",
        "train",
    },
    ("damsm", "batch", 5): AFTER_WORDS,
    ("captioner", "threshold", 2): {"count_words", *AFTER_WORDS},
}


@pytest.mark.parametrize(("said", "jobs"), CONCERNED.items(), ids=map(str, CONCERNED))
def test_an_edit_of_the_recipe_concerns_its_jobs_alone(
    said: tuple[str, str, object], jobs: set[str], trained: Game, edited: Callable[..., Path]
):
    set_in_recipe(edited("models", "mine", "training.yaml"), *said)
    ahead = jobs_ahead(trained, "train", bundle="mine") - {"total"}
    assert ahead == jobs


def test_an_edit_of_a_picture_concerns_all_that_looks_at_pictures(
    trained: Game, edited: Callable[..., Path]
):
    Image.new("RGB", (128, 128)).save(edited("pictures", "3.png"))
    assert jobs_ahead(trained, "train", bundle="mine") - {"total"} == AFTER_WORDS


def test_an_edit_of_sizes_concerns_the_networks_that_have_them(
    trained: Game, edited: Callable[..., Path]
):
    sizes = {**SIZES, "generator": {**SIZES["generator"], "residuals": 2}}
    edited("models", "mine", "bundle.yaml").write_text(yaml.safe_dump(sizes))
    ahead = jobs_ahead(trained, "train", bundle="mine") - {"total"}
    assert ahead == AFTER_WORDS - {"train_backbone", "train_captioner", "train_damsm"}


def test_what_somebody_else_put_into_the_bundle_is_replaced(trained: Game):
    weights = trained.path("models", "mine", "captioner.safetensors")
    learnt = weights.read_bytes()
    weights.write_bytes(learnt[::-1])
    call = trained.play("train", bundle="mine")
    assert weights.read_bytes() == learnt
    assert "Writing what was learnt into models/mine/" in call.text


def test_a_job_goes_on_under_the_same_pictures_only(trained: Game, edited: Callable[..., Path]):
    """Its checkpoint lies in a folder that is called after all that it depends on."""
    before = set(trained.path("training", "mine", "backbone").iterdir())
    Image.new("RGB", (128, 128)).save(edited("pictures", "3.png"))
    edited("training", "mine", "backbone.safetensors")
    trained.play("training/mine/backbone.safetensors", "--force-use-threads")
    assert len(set(trained.path("training", "mine", "backbone").iterdir()) - before) == 1


def test_a_broken_picture_is_named_before_the_first_job(workshop: Game):
    picture = workshop.path("pictures", "5.png")
    picture.write_bytes(picture.read_bytes()[:-30])
    call = workshop.call("train", bundle="mine")
    assert call.code != 0 and "pictures/5.png: this PNG picture is damaged" in call.text
    assert "Traceback" not in call.text and not workshop.path("training").exists()


def test_a_missing_picture_is_named_before_anything_is_planned(workshop: Game):
    workshop.path("pictures", "5.png").unlink()
    call = workshop.call("-n", "train", bundle="mine")
    assert call.code != 0
    assert "pictures/captions.jsonl, line 6: its picture 5.png is not in pictures/." in call.text
    assert "Traceback" not in call.text


def test_a_missing_dataset_is_told(workshop: Game):
    workshop.path("pictures", "captions.jsonl").unlink()
    call = workshop.call("train", bundle="mine")
    assert call.code != 0 and "pictures/captions.jsonl: this list of captions is" in call.text
    assert "Traceback" not in call.text


def test_the_card_measures_what_the_same_call_trains(game: Game):
    for name in ("bundle.yaml", "training.yaml"):
        copy = game.path("models", "storybook", name)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "models" / "storybook" / name, copy)
    call = game.play("-n", "card", "train", bundle="storybook")
    steps = [line for line in call.text.splitlines() if line.startswith("Job ")]
    training, measuring = (
        next(number for number, line in enumerate(steps) if what in line)
        for what in ("Writing what was learnt", "Measuring the storybook")
    )
    assert training < measuring
    assert "captioner.safetensors (cached)" in call.text.split(steps[measuring])[1].split("Job ")[0]
    alone = game.call("-n", "card", bundle="storybook")  # which needs weights that are not here
    assert "models/storybook/captioner.safetensors" in alone.text
    assert "Writing what was learnt" not in alone.text


@pytest.mark.parametrize(
    ("told", "device", "asked"),
    [
        (None, "auto", (1440, 12000, None)),
        (None, "cuda", (1440, 12000, "gpu:1")),
        ({"runtime": 30, "mem_mb": 999, "gpus": 2}, "auto", (30, 999, "gpu:2")),
        ({"gpus": 2}, "cpu", (1440, 12000, None)),
    ],
)
def test_training_jobs_ask_a_cluster_for_their_own_time_memory_and_cards(
    told: dict | None, device: str, asked: tuple, workshop: Game, monkeypatch: pytest.MonkeyPatch
):
    recipe = {**RECIPE, **({"resources": told} if told else {})}
    workshop.path("models", "mine", "training.yaml").write_text(yaml.safe_dump(recipe))
    workshop.path("config.yaml").write_text(f"bundle: mine\ndevice: {device}\n")
    monkeypatch.chdir(workshop.folder)
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        flow = api.workflow(ResourceSettings(cores=1), snakefile=ROOT / "Snakefile")._workflow
        rules = {rule.name: rule for rule in flow.rules}
    for name in EVERY_JOB - {"train", "count_words"}:
        found = rules[name].resources
        wildcards = SimpleNamespace(bundle="mine")
        kinds = ("runtime", "mem_mb", "gres")
        assert tuple(found[kind].evaluate(wildcards).value for kind in kinds) == asked, name


def test_photographs_train_a_painter_against_discriminators(workshop: Game):
    """COCO's annotations, no codes, pictures of any shape."""
    images, annotations = [], []
    for number in range(6):
        name = f"COCO_{number:012}.jpg"
        picture = Image.open(workshop.path("pictures", f"{number}.png"))
        picture.resize((160, 100 + 10 * number)).save(workshop.path("pictures", name))
        images.append({"id": 90 + number, "file_name": name})
        annotations += [
            {"image_id": 90 + number, "caption": caption}
            for caption in (f"A ball, number {number}. ", "a ball by a wall")
        ]
    said = json.dumps({"images": images, "annotations": annotations})
    workshop.path("captions_train.json").write_text(said)
    budget = {"steps": 3, "batch": 3, "width": 2, "matching": 1.0}
    recipe = {key: value for key, value in RECIPE.items() if key != "generator"}
    recipe |= {"annotations": "captions_train.json", "adversarial": budget}
    workshop.path("models", "mine", "training.yaml").write_text(yaml.safe_dump(recipe))
    plain = {**SIZES, "generator": {**SIZES["generator"], "codes": []}}
    workshop.path("models", "mine", "bundle.yaml").write_text(yaml.safe_dump(plain))
    workshop.play("training/mine/generator.safetensors")
    known = workshop.path("training", "mine", "text_encoder.txt").read_text().split()
    assert "number" in known and "5" in known


def test_a_recipe_that_teaches_no_painter_is_refused(workshop: Game):
    recipe = {key: value for key, value in RECIPE.items() if key != "generator"}
    workshop.path("models", "mine", "training.yaml").write_text(yaml.safe_dump(recipe))
    call = workshop.call("train", bundle="mine")
    assert call.code != 0
    assert "training.yaml: it lacks generator or adversarial" in call.text


@pytest.mark.parametrize("said", ["{}", "[1]", "no JSON", '{"images": [], "annotations": []}'])
def test_what_is_not_in_cocos_form_is_named(tmp_path: Path, said: str):
    path = tmp_path / "captions.json"
    path.write_text(said)
    with pytest.raises(UserError, match="captions.json"):
        CaptionedPictures(tmp_path, 64, path)


def test_a_recipe_with_a_misspelt_key_is_refused(workshop: Game):
    recipe = {**RECIPE, "damsm": {**RECIPE["damsm"], "step": 3}}
    workshop.path("models", "mine", "training.yaml").write_text(yaml.safe_dump(recipe))
    call = workshop.call("train", bundle="mine")
    assert call.code != 0
    assert "step" in call.text and "training.yaml" in call.text
    assert "Traceback" not in call.text


def test_a_backbone_that_cannot_be_used_is_a_mistake_told_in_words(workshop: Game):
    wrong = {**SIZES["image_encoder"], "backbone": "shufflenet_v2_x0_5"}
    sizes = yaml.safe_dump({**SIZES, "image_encoder": wrong})
    workshop.path("models", "mine", "bundle.yaml").write_text(sizes)
    call = workshop.call("train", bundle="mine")
    assert call.code != 0
    assert "models/mine/bundle.yaml: shufflenet_v2_x0_5 cannot be" in call.text
    assert "File " not in call.text


class Sum:
    """The smallest thing that can be trained: it adds up what it sees."""

    def __init__(self) -> None:
        self.sum = torch.zeros(3)

    def state_dict(self) -> dict:
        return {"sum": self.sum}

    def load_state_dict(self, state: dict) -> None:
        self.sum = state["sum"].clone()


def test_losses_are_drawn(tmp_path: Path):
    dataset = CaptionedPictures(draw_dataset(tmp_path / "pictures"), 128)
    progress = Progress(tmp_path / "notes", {"sum": Sum()}, 4, every=0)
    for _ in progress.batches(dataset, 1, seed=1):
        progress.log(every=2, loss=torch.tensor(1.5))
    assert (tmp_path / "notes" / "losses.tsv").read_text().count("1.50000") == 2
    assert Image.open(tmp_path / "notes" / "losses.png").size > (500, 100)


def add_up(folder: Path, dataset: CaptionedPictures, steps: int, stop: int | None = None) -> Sum:
    total = Sum()
    progress = Progress(folder, {"sum": total}, steps, every=0)
    for seen in progress.batches(dataset, 3, seed=1):
        if progress.step == stop:
            break  # as if it were killed before this step was noted
        total.sum = total.sum + seen.pictures.mean(dim=(0, 2, 3))
    return total


def test_a_training_that_was_killed_ends_as_if_it_had_not_been(tmp_path: Path):
    dataset = CaptionedPictures(draw_dataset(tmp_path / "pictures"), 128)
    whole = add_up(tmp_path / "whole", dataset, 7)
    add_up(tmp_path / "killed", dataset, 7, stop=4)
    again = add_up(tmp_path / "killed", dataset, 7)
    assert torch.equal(again.sum, whole.sum)
    assert torch.equal(add_up(tmp_path / "killed", dataset, 7).sum, whole.sum)


def test_a_broken_record_is_named_by_its_line(tmp_path: Path):
    folder = draw_dataset(tmp_path / "pictures")
    with (folder / "captions.jsonl").open("a") as records:
        records.write('{"picture": "9.png"}\n')
    with pytest.raises(UserError, match="line 9"):
        CaptionedPictures(folder, 128)


def test_known_noise_is_normal_and_says_its_codes():
    torch.manual_seed(0)
    groups = (3, 2, 4)
    codes = torch.stack([torch.randint(ways, (4000,)) for ways in groups], dim=1)
    z = noise_for(codes, groups, 12)
    read = as_codes(z, groups)
    starts = (0, 3, 5)
    for place, (start, ways) in enumerate(zip(starts, groups, strict=True)):
        assert torch.equal(read[:, start : start + ways].argmax(dim=1), codes[:, place])
    assert z.mean(dim=0).abs().max() < 0.08
    assert (z.std(dim=0) - 1).abs().max() < 0.05


@pytest.mark.parametrize(("near", "shift"), [(4, 1), (16, 1), (16, 9)])
def test_contrast_asks_for_steep_edges_wherever_they_lie_nearby(near: int, shift: int):
    """To squared distance, a soft edge is better than a sharp one that lies elsewhere."""
    place = torch.arange(32.0).expand(1, 3, 32, 32)
    edge, off = (place > 16).float() * 2 - 1, (place > 16 + shift).float() * 2 - 1
    soft = ((place - 16.5 - shift / 2) / (4 * shift)).clamp(-1, 1)
    assert torch.equal(contrast(off, near), contrast(edge, near))
    assert (contrast(soft, near) - contrast(edge, near)).abs().mean() > 0.03
    weights = torch.ones(1, 1, 32, 32)
    assert distance(off, edge, weights, 0) > distance(soft, edge, weights, 0)
    assert detail(edge, edge, weights, 2.0, near) == 0
    assert detail(off, edge, weights, 2.0, near) == distance(off, edge, weights, 1)
    assert detail(soft, edge, weights, 2.0, near) > distance(soft, edge, weights, 1)


def test_the_quick_generator_is_the_plain_one():
    torch.manual_seed(0)
    config = GeneratorConfig(sentence=16, noise=8, condition=6, width=8, stages=2, residuals=1)
    plain = Generator(config)
    inputs = torch.randn(2, 8), torch.randn(2, 6), torch.randn(2, 16, 5), torch.randn(2, 16)
    inputs = *inputs, torch.zeros(2, 5, dtype=torch.bool)
    plain(*inputs)  # other statistics than those it begins with
    wanted = [picture.detach() for picture in plain.eval()(*inputs).pictures]
    names = list(plain.state_dict())
    quick = use_transposed(plain)
    assert list(quick.state_dict()) == names
    for one, other in zip(quick(*inputs).pictures, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_vocabularies_are_counted_as_the_originals_did():
    captions = ["A red ball, by the wall.", "a red kite", "a blue kite"]
    assert captioner_vocabulary(captions, 2) == [
        *("<pad>", "<start>", "<end>", "<unk>"),
        *("a", "kite", "red"),
    ]
    assert painter_vocabulary(captions) == [
        "<end>",
        *("a", "ball", "blue", "by", "kite", "red", "the", "wall"),
    ]


def test_an_image_encoder_sees_with_the_eyes_of_a_captioner():
    torch.manual_seed(1)
    captioner = Captioner(CaptionerConfig(5, "mobilenet_v3_small", size=64, embedding=4, hidden=4))
    captioner.eval()
    backbone = captioner.encoder.backbone.features
    for part in backbone.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_()
    eyes = ImageEncoder(ImageEncoderConfig("mobilenet_v3_small", 64, 4, regions="8")).eval()
    lend_eyes(captioner.state_dict(), eyes)
    pictures = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        wanted, found = backbone[0](normalise(pictures)), eyes.backbone[0](pictures)
    assert torch.allclose(found[..., 1:, 1:], wanted[..., 1:, 1:], atol=1e-5)  # but for the edge
    other = ImageEncoder(ImageEncoderConfig("resnet18", 64, 4, regions="layer3"))
    with pytest.raises(UserError, match="same backbone"):
        lend_eyes(captioner.state_dict(), other)
