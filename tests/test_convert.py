"""Published weights become parts of a bundle, whole and checked, or the old part stays."""

import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import yaml
from conftest import Game
from killing import kill_before_each_file_operation
from makers import captions_pickle, legacy_checkpoint, vocabulary_pickle
from safetensors.torch import load_file
from test_untrusted import hostile, saved

from scripts.attngan.generator import Generator, GeneratorConfig
from scripts.attngan.image_encoder import ImageEncoder, ImageEncoderConfig
from scripts.attngan.text_encoder import TextEncoder, TextEncoderConfig
from scripts.captioner.network import Captioner, CaptionerConfig
from scripts.downloads import digests
from scripts.errors import UserError
from scripts.official import names
from scripts.official.convert import RECIPES, convert
from scripts.words import Vocabulary

ROOT = Path(__file__).parent.parent
CAPTIONS = ["<pad>", "<start>", "<end>", "<unk>", "a", "cow", "o'clock"]
WORDS = ["<end>", "a", "cow", "grazes"]
SIZES = {
    "captioner": {"backbone": "resnet18", "size": 32, "embedding": 6, "hidden": 5},
    "text_encoder": {"embedding": 5, "features": 8},
    "generator": {"noise": 6, "condition": 7, "width": 4, "stages": 2, "residuals": 1},
}
NETWORKS = {
    "captioner": lambda: Captioner(CaptionerConfig(len(CAPTIONS), **SIZES["captioner"])),
    "text_encoder": lambda: TextEncoder(TextEncoderConfig(len(WORDS), **SIZES["text_encoder"])),
    "generator": lambda: Generator(GeneratorConfig(sentence=8, **SIZES["generator"])),
}


def state_of(part: str) -> dict[str, torch.Tensor]:
    """Random weights of a tiny network under our names, without the counters that are younger."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = NETWORKS[part]().state_dict()
    return {name: value for name, value in state.items() if "num_batches_tracked" not in name}


# The published names of the tiny networks' tensors: the reverse of names.py.
THEIRS = {
    "text_encoder": lambda name: name.replace("embedding.", "encoder.").replace("lstm.", "rnn."),
    "generator": lambda name: PUBLISHED[name],
    "encoder": lambda name: (
        name.removeprefix("encoder.")
        .replace("backbone.conv1.", "resnet.0.")
        .replace("backbone.bn1.", "resnet.1.")
        .replace("backbone.layer1.", "resnet.4.")
        .replace("backbone.layer2.", "resnet.5.")
        .replace("backbone.layer3.", "resnet.6.")
        .replace("backbone.layer4.", "resnet.7.")
        .replace("norm.", "bn.")
    ),
    "decoder": lambda name: name.removeprefix("decoder.").replace("embedding.", "embed."),
}
NORM = ("weight", "bias", "running_mean", "running_var")
PUBLISHED = {
    names.rename(theirs, names.GENERATOR): theirs
    for theirs in [
        *("ca_net.fc.weight", "ca_net.fc.bias", "h_net1.fc.0.weight"),
        *(f"h_net1.fc.1.{leaf}" for leaf in NORM),
        *(f"h_net1.upsample{i}.1.weight" for i in (1, 2, 3, 4)),
        *(f"h_net1.upsample{i}.2.{leaf}" for i in (1, 2, 3, 4) for leaf in NORM),
        *("h_net2.att.conv_context.weight", "h_net2.upsample.1.weight"),
        *(f"h_net2.upsample.2.{leaf}" for leaf in NORM),
        *(f"h_net2.residual.0.block.{i}.weight" for i in (0, 3)),
        *(f"h_net2.residual.0.block.{i}.{leaf}" for i in (1, 4) for leaf in NORM),
        *("img_net1.img.0.weight", "img_net2.img.0.weight"),
    ]
}


def published(part: str, rename) -> dict[str, torch.Tensor]:
    return {rename(name): value for name, value in state_of(part).items()}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder with the files of a tiny original, in the formats of the real ones."""
    published_files(tmp_path)
    return tmp_path


def published_files(folder: Path) -> None:
    (folder / "text.pth").write_bytes(
        legacy_checkpoint(published("text_encoder", THEIRS["text_encoder"]))
    )
    (folder / "captions.pickle").write_bytes(captions_pickle(WORDS))
    torch.save({"netG": published("generator", THEIRS["generator"])}, folder / "gan.pth")
    (folder / "bundle.yaml").write_text(yaml.safe_dump(SIZES))


FILES = {
    "captioner": ["encoder.ckpt", "decoder.ckpt", "vocab.pkl"],
    "text_encoder": ["text.pth", "captions.pickle"],
    "generator": ["gan.pth"],
}


def add_captioner(bundle: Path) -> None:
    """The captioner's files, which are much larger than the others."""
    captioner = state_of("captioner")
    for half in ("encoder", "decoder"):
        own = {name: value for name, value in captioner.items() if name.startswith(half)}
        state = {THEIRS[half](name): value for name, value in own.items()}
        (bundle / f"{half}.ckpt").write_bytes(legacy_checkpoint(state))
    (bundle / "vocab.pkl").write_bytes(vocabulary_pickle(CAPTIONS))


def run(bundle: Path, part: str) -> Path:
    if part == "captioner" and not (bundle / "vocab.pkl").exists():
        add_captioner(bundle)
    out = bundle / f"{part}.safetensors"
    convert(part, [bundle / name for name in FILES[part]], bundle, out)
    return out


@pytest.mark.parametrize("part", FILES)
def test_every_tensor_arrives_under_our_name(bundle: Path, part: str) -> None:
    found = load_file(run(bundle, part))
    network = NETWORKS[part]()
    network.load_state_dict(found)
    for name, tensor in state_of(part).items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)
    assert {value.item() for name, value in found.items() if "num_batches" in name} <= {0}


def test_words_stand_beside_the_weights(bundle: Path) -> None:
    run(bundle, "captioner")
    run(bundle, "text_encoder")
    run(bundle, "generator")
    assert list(Vocabulary.read(bundle / "captioner.txt").words) == CAPTIONS
    assert list(Vocabulary.read(bundle / "text_encoder.txt").words) == WORDS
    assert not (bundle / "generator.txt").exists()


@pytest.mark.parametrize("part", FILES)
def test_the_same_files_give_the_same_bytes(bundle: Path, part: str) -> None:
    first = run(bundle, part).read_bytes()
    assert run(bundle, part).read_bytes() == first


def official(bundle: Path, **files: dict) -> None:
    (bundle / "bundle.yaml").write_text(
        yaml.safe_dump(SIZES | {"official": {"parts": {}, "files": files}})
    )


def test_other_weights_of_an_official_name_convert_with_a_warning(bundle: Path, capsys) -> None:
    entry = {"kind": "checkpoint", "sha256": "0" * 64, "sources": [{"url": "http://127.0.0.1:1/"}]}
    official(bundle, **{"gan.pth": entry})
    assert load_file(run(bundle, "generator"))
    warning = capsys.readouterr().err
    assert warning.startswith(f"WARNING: {bundle / 'gan.pth'} is not the published file")
    assert "0" * 64 in warning and digests(bundle / "gan.pth")["sha256"] in warning
    official(bundle, **{"gan.pth": entry | digests(bundle / "gan.pth")})
    run(bundle, "generator")
    assert capsys.readouterr().err == ""


def test_what_has_changed_since_it_was_downloaded_is_refused(bundle: Path) -> None:
    before = run(bundle, "generator").read_bytes()
    lock = bundle / "fetched.lock"
    lock.write_text(f"{'1' * 64}  gan.pth\n")
    with pytest.raises(UserError, match=r"gan\.pth.*not the file that fetched.lock.*1{64}"):
        run(bundle, "generator")
    assert (bundle / "generator.safetensors").read_bytes() == before
    lock.write_text(f"{digests(bundle / 'gan.pth')['sha256']}  gan.pth\n")
    assert run(bundle, "generator").read_bytes() == before


def spoil_words(bundle: Path) -> None:
    (bundle / "captions.pickle").write_bytes(captions_pickle([*WORDS, "moose"]))


def spoil_first_words(bundle: Path) -> None:
    (bundle / "captions.pickle").write_bytes(captions_pickle(["a", "<end>", "cow", "grazes"]))


def spoil_shape(bundle: Path) -> None:
    state = published("generator", THEIRS["generator"])
    state["ca_net.fc.weight"] = torch.zeros(28, 9)
    torch.save(state, bundle / "gan.pth")


def spoil_value(bundle: Path) -> None:
    state = published("generator", THEIRS["generator"])
    state["ca_net.fc.weight"][3, 2] = torch.nan
    torch.save(state, bundle / "gan.pth")


def spoil_by_range(bundle: Path) -> None:
    state = published("generator", THEIRS["generator"])
    state["ca_net.fc.bias"] = torch.full((28,), 1e300, dtype=torch.float64)
    torch.save(state, bundle / "gan.pth")


def spoil_by_leaving_out(bundle: Path) -> None:
    state = published("generator", THEIRS["generator"])
    del state["ca_net.fc.bias"]
    torch.save(state, bundle / "gan.pth")


def spoil_by_adding(bundle: Path) -> None:
    state = published("generator", THEIRS["generator"])
    state["img_net3.img.0.weight"] = torch.zeros(3)
    torch.save(state, bundle / "gan.pth")


def spoil_by_exchange(bundle: Path) -> None:
    (bundle / "gan.pth").write_bytes((bundle / "text.pth").read_bytes())


def spoil_by_emptiness(bundle: Path) -> None:
    torch.save({}, bundle / "gan.pth")


def spoil_sizes(bundle: Path) -> None:
    sizes = SIZES | {"generator": SIZES["generator"] | {"heads": 3}}
    (bundle / "bundle.yaml").write_text(yaml.safe_dump(sizes))


@pytest.mark.parametrize(
    ("part", "spoil", "reason"),
    [
        ("text_encoder", spoil_words, r"text\.pth: It has 4 instead of the 5 words in captions"),
        ("text_encoder", spoil_first_words, r"captions\.pickle: its first words are 'a'"),
        (
            "generator",
            spoil_shape,
            r"gan\.pth.*other sizes.*conditioning.linear.weight is 28 x 9 instead of 28 x 8",
        ),
        ("generator", spoil_value, r"gan\.pth: ca_net.fc.weight holds values that are not finite"),
        ("generator", spoil_by_range, r"gan\.pth: conditioning.linear.bias .*beyond.*float32"),
        ("generator", spoil_by_leaving_out, r"gan\.pth.*1 tensors? .*conditioning.linear.bias"),
        ("generator", spoil_by_adding, r"gan\.pth.*larger.*paint.2.conv.weight"),
        ("generator", spoil_by_exchange, r"gan\.pth.*not the generator.*encoder.weight"),
        ("generator", spoil_by_emptiness, r"gan\.pth.*decoy"),
        ("generator", spoil_sizes, r"bundle\.yaml: generator.*heads"),
    ],
)
def test_what_does_not_fit_leaves_the_old_part(bundle: Path, part: str, spoil, reason: str) -> None:
    run(bundle, part)
    before = {path.name: path.read_bytes() for path in bundle.glob(f"{part}.*")}
    spoil(bundle)
    with pytest.raises(UserError, match=f"(?s){reason}"):
        run(bundle, part)
    assert {path.name: path.read_bytes() for path in bundle.glob(f"{part}.*")} == before
    assert list(bundle.glob(".*")) == []


@pytest.mark.parametrize(("part", "name"), [(part, name) for part in FILES for name in FILES[part]])
def test_no_file_can_do_harm(bundle: Path, part: str, name: str, tmp_path: Path) -> None:
    run(bundle, part)
    before = {path.name: path.read_bytes() for path in bundle.glob(f"{part}.*")}
    good, mark = (bundle / name).read_bytes(), tmp_path / "mark"
    bad = [pickle.dumps(thing, protocol) for thing in hostile(mark) for protocol in (0, 2)]
    bad += [saved(thing, zipped) for thing in hostile(mark) for zipped in (False, True)]
    bad += [
        saved(OrderedDict()),
        saved({"netG": {}}, True),
        b"",
        b"<html>404",
        good[:-9],
        good[:50],
    ]
    for content in bad:
        (bundle / name).write_bytes(content)
        with pytest.raises(UserError, match=name):
            run(bundle, part)
        assert not mark.exists()
    assert {path.name: path.read_bytes() for path in bundle.glob(f"{part}.*")} == before


def test_the_bird_model_is_called_by_its_name(tmp_path: Path) -> None:
    coco = yaml.safe_load((ROOT / "models" / "coco" / "bundle.yaml").read_text())
    (tmp_path / "bundle.yaml").write_text(yaml.safe_dump(coco))
    words = ["<end>", *(f"word{number}" for number in range(27296))]
    (tmp_path / "captions.pickle").write_bytes(captions_pickle(words))
    encoder = TextEncoder(TextEncoderConfig(5450))
    state = {THEIRS["text_encoder"](name): value for name, value in encoder.state_dict().items()}
    (tmp_path / "text_encoder100.pth").write_bytes(legacy_checkpoint(state))
    files = [tmp_path / "text_encoder100.pth", tmp_path / "captions.pickle"]
    with pytest.raises(UserError, match="bird model: vocabulary 5450 instead of the 27297"):
        convert("text_encoder", files, tmp_path, tmp_path / "text_encoder.safetensors")


def test_the_image_encoder_converts(tmp_path: Path) -> None:
    (tmp_path / "bundle.yaml").write_text(yaml.safe_dump({"image_encoder": {}}))
    state = ImageEncoder(ImageEncoderConfig()).state_dict()
    theirs = {
        name.removeprefix("backbone.")
        .replace("regions.", "emb_features.")
        .replace("whole.", "emb_cnn_code."): value
        for name, value in state.items()
    }
    torch.save(theirs, tmp_path / "image_encoder100.pth", _use_new_zipfile_serialization=False)
    out = tmp_path / "image_encoder.safetensors"
    convert("image_encoder", [tmp_path / "image_encoder100.pth"], tmp_path, out)
    assert set(load_file(out)) == set(state)


def test_the_recipes_are_those_of_the_coco_bundle() -> None:
    description = yaml.safe_load((ROOT / "models" / "coco" / "bundle.yaml").read_text())
    parts = description["official"]["parts"]
    assert set(parts) == set(RECIPES)
    for part, recipe in RECIPES.items():
        assert len(parts[part]) == len(recipe.tables) + bool(recipe.read_words)
        assert set(parts[part]) <= set(description["official"]["files"])


def test_a_conversion_killed_anywhere_leaves_a_whole_part(tmp_path: Path):
    published_files(tmp_path)
    files = [tmp_path / "text.pth", tmp_path / "captions.pickle"]
    out = tmp_path / "text_encoder.safetensors"
    convert("text_encoder", files, tmp_path, out)
    weights, words = out.read_bytes(), out.with_suffix(".txt").read_bytes()
    out.unlink()
    out.with_suffix(".txt").unlink()

    def look() -> None:
        if out.exists():
            assert (out.read_bytes(), out.with_suffix(".txt").read_bytes()) == (weights, words)

    def work() -> None:
        torch.set_num_threads(1)
        convert("text_encoder", files, tmp_path, out)

    assert kill_before_each_file_operation(tmp_path, work, look) > 6
    assert out.read_bytes() == weights
    assert not list(tmp_path.glob(".text*"))


def test_the_rules_keep_what_people_put_there(bundle: Path, tmp_path: Path) -> None:
    game = Game(tmp_path / "game")
    coco = game.path("models", "coco")
    coco.mkdir(parents=True)
    parts = {"generator": ["gan.pth"], "text_encoder": ["text.pth", "captions.pickle"]}
    source = [{"url": "http://127.0.0.1:1/nothing"}]
    files = {
        name: {"kind": "checkpoint", "sources": source} for part in parts.values() for name in part
    }
    description = SIZES | {"official": {"parts": parts, "files": files}}
    (coco / "bundle.yaml").write_text(yaml.safe_dump(description))
    for name in ("gan.pth", "text.pth", "captions.pickle"):
        (coco / name).write_bytes((bundle / name).read_bytes())
    targets = ["models/coco/generator.safetensors", "models/coco/text_encoder.safetensors"]

    game.play(*targets)
    assert Vocabulary.read(coco / "text_encoder.txt").words == tuple(WORDS)
    assert "Downloading" not in game.play("--dry-run", "--forceall", *targets).text

    good, converted = (coco / "gan.pth").read_bytes(), (coco / "generator.safetensors").read_bytes()
    (coco / "gan.pth").write_bytes(good[:9000])
    for _ in range(2):  # the second time too
        refused = game.call(*targets)
        assert refused.code != 0 and "Traceback" not in refused.text
        assert "gan.pth: this is not a checkpoint" in refused.text
        assert (coco / "generator.safetensors").read_bytes() == converted
        assert (coco / "gan.pth").read_bytes() == good[:9000]

    for name in ("gan.pth", "text.pth", "captions.pickle"):
        (coco / name).unlink()
    assert game.call(*targets).nothing
    (coco / "generator.safetensors").unlink()
    missing = game.call(*targets)
    assert missing.code != 0 and "Traceback" not in missing.text
    assert "put it into the folder models/coco/" in missing.text
