"""Mistakes that people make: one message that says what to do, and no traceback."""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml
from conftest import ROOT, Call, Game, make_picture
from safetensors.torch import load_file, save_file

from scripts import settings
from scripts.bundles import Bundle
from scripts.chains import parse
from scripts.errors import UserError
from scripts.files import written
from scripts.networks import PARTS, build, configure
from scripts.stages.caption import describe
from scripts.stages.generate import paint
from scripts.untrusted.pictures import open_picture

SCHEMA = ROOT / "rules/schemas/config.schema.yaml"


@pytest.fixture(scope="module")
def game(new_game: Callable[[], Game]) -> Game:
    game = new_game()
    make_picture(game.path("input/kite.jpg"))
    make_picture(game.path("input/twin.jpg"))
    make_picture(game.path("input/twin.PNG"))
    make_picture(game.path("input/br{a}ce.png"))
    game.path("input/notes.md").write_text("not a base file")
    shutil.copytree(game.path("models/tiny"), game.path("models/half"))
    game.path("models/half/generator.safetensors").unlink()
    return game


def explained(call: Call) -> str:
    """The one message of a call that failed as it should."""
    assert call.code != 0
    for sign in ("Traceback", "Exception in", '.py", line', '.smk", line', "Wildcards:"):
        assert sign not in call.text, call.text
    messages = [line for line in call.text.splitlines() if line.startswith("Error: ")]
    assert len(messages) == 1, call.text
    return messages[0]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nosuch/round1.png", ["input/ holds no picture", "nosuch", "cow", "kite"]),
        ("kiet/strip.png", ["Did you mean kite?"]),
        ("notes/round1.txt", ["input/notes.md", "cannot be played"]),
        ("cow/round0.png", ["no round 0", "round1"]),
        ("cow/round0.txt", ["no round 0", "round1"]),
        ("cow/round05.json", ["leading zeros", "'05'"]),
        ("cow/round-1.png", ["'-1', not a whole number"]),
        ("cow@x/round1.png", ["seed after @ is 'x'"]),
        ("cow@007/round1.png", ["leading zeros", "'007'"]),
        ("cow+tinny/round1.png", ["no bundle called tinny", "half, tiny", "Did you mean tiny"]),
        ("cow+tiny@7/round1.png", ["write cow@7+tiny"]),
        ("cow+half/round1.png", ["models/half/generator.safetensors: missing"]),
        ("twin/round1.png", ["input/twin.PNG", "input/twin.jpg", "which one"]),
        ("br{a}ce/round1.png", ["input/br{a}ce", "Rename"]),
    ],
)
def test_what_was_asked_for_cannot_be(target: str, says: list[str], game: Game):
    message = explained(game.call(f"results/{target}"))
    assert all(piece in message for piece in says), message
    assert not game.path("results").exists()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"ronds": 3}, ["no setting ronds", "Did you mean rounds?"]),
        ({"seed": "abc"}, ["seed is 'abc'", "whole number"]),
        ({"rounds": 0}, ["rounds is 0", "1 or more"]),
        ({"bundle": "nix"}, ["no bundle called nix", "half, tiny"]),
    ],
)
def test_a_setting_is_wrong(config: dict, says: list[str], game: Game):
    message = explained(game.call("results/cow/round1.png", **config))
    assert all(piece in message for piece in says), message


def test_a_setting_in_the_file_is_wrong(new_game: Callable[[], Game]):
    game = new_game()
    game.path("config.yaml").write_text("bundle: tiny\nSeeds: 7\n")
    assert "no setting Seeds. Did you mean seed?" in explained(game.call())


def test_there_is_nothing_to_play(new_game: Callable[[], Game]):
    game = new_game()
    shutil.rmtree(game.path("input"))
    assert "input/ holds no picture and no text" in explained(game.call())


def test_a_chain_that_fails_does_not_stop_the_others(new_game: Callable[[], Game]):
    game = new_game()
    game.path("input/junk.jpg").write_text("<html>no picture</html>")
    game.path("input/strange.txt").write_text("zebra xylophone")
    call = game.call("--keep-going", cores=2)
    assert call.code != 0 and "Traceback" not in call.text
    messages = [line for line in call.text.splitlines() if line.startswith("Error: ")]
    assert len(messages) == 2
    assert any("input/junk.jpg" in line and "not" in line for line in messages)
    assert any(
        "results/strange/round1.txt" in line and "zebra xylophone" in line for line in messages
    )
    assert game.path("results/cow/strip.png").exists()
    left = {path.name for path in game.folder.glob("results/*/round*")}
    assert left == {f"round{n}.{end}" for n in (1, 2) for end in ("txt", "png", "json")}
    assert not game.path("results/strange/round1.png").exists()
    assert "Error: " not in game.play("results/cow/strip.png").text


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a graphics card")
def test_a_device_is_missing(new_game: Callable[[], Game]):
    message = explained(new_game().call("results/cow/round1.png", device="cuda:3"))
    assert "no device cuda:3" in message and "auto or cpu" in message


def test_a_misspelt_setting_deep_inside_is_named(tmp_path: Path):
    (tmp_path / "s.yaml").write_text(
        "type: object\nproperties:\n  deep:\n    type: object\n    additionalProperties: false\n"
        "    properties: {width: {type: integer, minimum: 1}}\n    required: [width]\n"
    )
    for wrong, says in [
        ({"deep": {"widht": 3, "width": 1}}, "no setting deep.widht. Did you mean width"),
        ({"deep": {"width": 0}}, "deep.width is 0; it must be at least 1"),
        ({"deep": {"width": "x"}}, "deep.width is 'x'; it must be a whole number"),
        ({"deep": {}}, "deep lacks width"),
        ([], "it must be a section of settings"),
    ]:
        with pytest.raises(UserError, match=says):
            settings.check(wrong, tmp_path / "s.yaml", "file")


def test_every_setting_is_explained_and_has_its_default():
    text = (ROOT / "config.yaml").read_text()
    given = settings.read(ROOT / "config.yaml", SCHEMA)
    assert given == settings.defaults(SCHEMA)
    assert given == {
        "bundle": "storybook",
        "seed": 100,
        "rounds": 5,
        "candidates": 16,
        "device": "auto",
        "batch": 1,
        "captioner": {"beam": 1, "temperature": 0, "top_p": 1},
        "channel": [],
        "embedding": "all-MiniLM-L6-v2",
        "judge": None,
        "terminal": "auto",
        "picture": "",
        "text": "",
        "library": "input",
        "study": {
            "bases": ["*"],
            "seeds": [],
            "bundles": [],
            "channels": [],
            "baselines": False,
            "imported": [],
            "generations": 20,
        },
        "verify": 0.1,
    }
    schema = settings.load_schema(str(SCHEMA))
    assert schema["additionalProperties"] is False
    for key, entry in schema["properties"].items():
        assert entry["description"]
        before = text[: text.index(f"\n{key}:")].splitlines()[-1]
        assert before.startswith("# ")


CONFIGS = {
    "": {},
    "# a comment\n": {},
    "seed: 100.0": {"seed": 100},
    "rounds: 2.0\ncandidates: 2.0": {"rounds": 2, "candidates": 2},
    "captioner: {beam: 2.0}": {"captioner": {"beam": 2}},
    "study: {seeds: [7.0, 8-9], bases: ['100']}": {
        "study": {"seeds": [7, "8-9"], "bases": ["100"]}
    },
    "verify: 1.0e+0": {"verify": 1},
}


@pytest.mark.parametrize(("text", "meant"), CONFIGS.items(), ids=CONFIGS)
def test_whole_numbers_are_whole_however_they_are_written(text: str, meant: dict, tmp_path: Path):
    (tmp_path / "config.yaml").write_text(text)
    read = settings.read(tmp_path / "config.yaml", SCHEMA)
    assert repr(read) == repr(meant)  # 100.0 == 100


def test_numbers_come_as_text_from_the_command_line():
    given = {"captioner": {"beam": "2.0"}, "study": {"seeds": ["7", "1e1", "8-9"], "bases": ["7"]}}
    read = settings.read_numbers(settings.fit(given), settings.load_schema(str(SCHEMA)))
    assert repr(read["captioner"]) == "{'beam': 2}"
    assert repr(read["study"]) == "{'seeds': [7, 10, '8-9'], 'bases': ['7']}"


@pytest.mark.parametrize(
    "text",
    [
        *("seed: .nan", "seed: .inf", f"seed: {'9' * 5000}", "seed: 18446744073709551616"),
        *("seed: 1.5", "seed: true", "seed: 2026-13-45", "seed: 2026-01-01", "seed: !!binary QQ=="),
        *(
            "rounds: .inf",
            "rounds: 999999999999",
            "rounds:",
            "rounds: {a: 1}",
            "candidates: 1.0e+9",
        ),
        *("verify: .nan", "verify: .inf", "verify: 0", "verify: 1.1", "study: {seeds: [1-x]}"),
        *("study: {seeds: [-1]}", "study: {seeds: [.nan]}", "study: {generations: .nan}", "7: 7"),
        *("captioner:", "captioner: {beam: .nan}", "captioner: {}", "device: 1", "[]", "text"),
    ],
)
def test_settings_out_of_bounds_are_named_in_a_line(text: str, tmp_path: Path):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError) as refused:
        settings.read(tmp_path / "config.yaml", SCHEMA)
    message = str(refused.value)
    assert message.startswith(f"{tmp_path}/config.yaml: ") and "\n" not in message
    assert len(message) < 300 + len(str(tmp_path))


def test_an_empty_config_is_one_without_settings(new_game: Callable[[], Game]):
    """… and what cannot be played because of its name is told, and stops nothing else."""
    game = new_game()
    game.path("config.yaml").write_text("# nothing yet\n")
    for name in ("cow@7", "plus+sign", "at@home", "<a>", "photo[1]"):
        shutil.copy(game.path("input/cow.png"), game.path(f"input/{name}.png"))
    shutil.copy(game.path("input/cow.png"), game.path("input/cafe\u0301.png"))
    call = game.play("all", "--dry-run", bundle="tiny", seed="1e2", rounds="1.0")
    told = [line for line in call.text.splitlines() if "is left out" in line]
    assert [line.split()[0] for line in told] == [
        f"input/{name}.png" for name in ("<a>", "at@home", "cow@7", "plus+sign")
    ]
    for image in ("cow", "photo[1]", "caf\u00e9"):
        assert f"results/{image}/round1.png" in call.text
    assert "input/at@home.png: " in explained(game.call("results/at@home/round1.png"))


@pytest.mark.parametrize("text", ["rounds: [", "\t- x", "rounds: 3\n rounds: 4"])
def test_a_file_that_is_no_yaml_is_named(text: str, tmp_path: Path):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=r"config\.yaml: line \d"):
        settings.read(tmp_path / "config.yaml", SCHEMA)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_bundle_whose_sizes_are_in_no_file_is_not_told_to_be_missing(
    make: Callable[[Path], None], tmp_path: Path
):
    (tmp_path / "odd").mkdir()
    make(tmp_path / "odd/bundle.yaml")
    with pytest.raises(UserError, match=r"odd/bundle\.yaml: this is not a file\."):
        Bundle.read("odd", tmp_path)


@pytest.fixture
def folder(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "tiny"))


def refused(folder: Path, part: str) -> str:
    with pytest.raises(UserError) as error:
        Bundle.read("tiny", folder.parent).network(part, "cpu")
    return str(error.value)


def test_weights_are_damaged(folder: Path):
    path = folder / "generator.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    assert "generator.safetensors: these are no weights" in refused(folder, "generator")


def test_weights_are_of_another_network(folder: Path):
    state = load_file(folder / "generator.safetensors")
    save_file(dict(list(state.items())[:-1]), folder / "generator.safetensors")
    assert "not those of the generator that bundle.yaml" in refused(folder, "generator")


def test_words_and_weights_do_not_fit(folder: Path):
    with open(folder / "captioner.txt", "a") as file:
        file.write("zebra\n")
    assert "not those of the captioner" in refused(folder, "captioner")


def test_sizes_make_no_network(folder: Path):
    text = (folder / "bundle.yaml").read_text().replace("features: 16", "features: 15")
    (folder / "bundle.yaml").write_text(text)
    assert "bundle.yaml: text_encoder: features must be even" in refused(folder, "text_encoder")


@pytest.mark.parametrize(
    ("part", "size", "value"),
    [
        *(("captioner", name, 20_000) for name in ("size", "embedding", "hidden", "max_words")),
        *(("text_encoder", name, 20_000) for name in ("embedding", "features")),
        *(("generator", name, 20_000) for name in ("noise", "condition", "width", "mapping")),
        *(("generator", name, 10**9) for name in ("first_width", "residuals", "stages")),
        ("captioner", "layers", 10**9),
        ("generator", "codes", [3] * 101),
        ("generator", "first_residuals", [1] * 5),
        ("image_encoder", "size", 20_000),
        ("captioner", "kind", {"kind": "cnn_lstm"}),
    ],
    ids=str,
)
def test_sizes_that_nobody_could_play_with_are_named(
    part: str, size: str, value: object, folder: Path
):
    sizes = yaml.safe_load((folder / "bundle.yaml").read_text())
    sizes.setdefault(part, {})[size] = value
    (folder / "bundle.yaml").write_text(yaml.safe_dump(sizes))
    with pytest.raises(UserError, match=rf"bundle\.yaml: {part}\.{size} is "):
        Bundle.read("tiny", folder.parent)


def test_weights_that_no_memory_holds_are_counted_and_not_built(folder: Path):
    """Sizes may be allowed one by one, and be too much together."""
    sizes = yaml.safe_load((folder / "bundle.yaml").read_text())
    sizes["captioner"] |= {"hidden": 8192, "embedding": 8192, "layers": 16}
    sizes["generator"] |= {"width": 1024, "residuals": 100, "stages": 3}
    (folder / "bundle.yaml").write_text(yaml.safe_dump(sizes))
    bundle = Bundle.read("tiny", folder.parent)
    for part, layer in (("captioner", 16 * 2 * 4 * 8192**2), ("generator", 100 * 54 * 1024**2)):
        for make in (build, lambda bundle, part: bundle.network(part, "cpu")):
            with pytest.raises(
                UserError, match=f"{part}: these sizes make [0-9,]+ weights"
            ) as told:
                make(bundle, part)
            counted = re.search(r"make ([0-9,]+) weights", str(told.value))[1]
            assert int(counted.replace(",", "")) > layer


def test_a_vocabulary_is_a_file_of_sensible_size(folder: Path):
    path = folder / "captioner.txt"
    with open(path, "wb") as file:
        file.truncate(17 << 20)
    assert "bytes; more than" in refused(folder, "captioner")
    path.unlink()
    os.mkfifo(path)
    assert "captioner.txt: this is not a file" in refused(folder, "captioner")


def test_defaults_are_those_of_the_networks(folder: Path):
    """The schemas say them once more, so that nothing need be imported to know them."""
    (folder / "bundle.yaml").write_text(
        "captioner: {}\ntext_encoder: {}\ngenerator: {}\nimage_encoder: {}\n"
    )
    bundle = Bundle.read("tiny", folder.parent)
    for part in PARTS:
        sizes = {name: size for name, size in bundle.sizes(part).items() if name != "kind"}
        given = asdict(configure(replace(bundle, settings={part: {}, "text_encoder": {}}), part))
        for derived in ("vocabulary", "sentence"):
            given.pop(derived, None)
        lists = {name: tuple(size) for name, size in sizes.items() if isinstance(size, list)}
        assert {**sizes, **lists} == given, part


def test_weights_that_compute_no_number(folder: Path, tmp_path: Path):
    state = load_file(folder / "generator.safetensors")
    for name in state:
        if name.endswith("running_var"):
            state[name] -= 1e9
    save_file(state, folder / "generator.safetensors")
    state = load_file(folder / "captioner.safetensors")
    state["decoder.linear.bias"][7] = torch.nan
    save_file(state, folder / "captioner.safetensors")
    bundle = Bundle.read("tiny", folder.parent)
    with pytest.raises(UserError, match=r"generator\.safetensors: .* not a number"):
        paint("the on", parse("cow", 100, "tiny"), 1, bundle, "cpu", 1)
    picture = open_picture(make_picture(tmp_path / "cow.png"))
    with pytest.raises(UserError, match=r"captioner\.safetensors: .* not a number"):
        describe(picture, bundle, "cpu", 1)


def test_a_picture_is_described_before_the_text_encoder_is_there(folder: Path, tmp_path: Path):
    (folder / "text_encoder.txt").unlink()
    picture = open_picture(make_picture(tmp_path / "cow.png"))
    assert describe(picture, Bundle.read("tiny", folder.parent), "cpu", 1)[0].caption


def test_a_network_is_loaded_once_however_many_ask(folder: Path):
    from concurrent.futures import ThreadPoolExecutor

    bundle = Bundle.read("tiny", folder.parent)
    with ThreadPoolExecutor(8) as pool:
        networks = list(pool.map(lambda _: bundle.network("captioner", "cpu"), range(16)))
    assert len(set(map(id, networks))) == 1
    network = networks[0]
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "round1.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), written(path) as part:
        part.write_text("ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["round1.txt"]


def test_nothing_is_written_through_a_link(tmp_path: Path):
    outside = tmp_path / "outside.txt"
    outside.write_text("old")
    (tmp_path / ".round1.txt.part").symlink_to(outside)
    (tmp_path / "round1.txt").symlink_to(outside)
    with written(tmp_path / "round1.txt") as part:
        part.write_text("new")
    assert outside.read_text() == "old"
    assert (tmp_path / "round1.txt").read_text() == "new"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "results").write_text("a file where a folder should be")
    with (
        pytest.raises(UserError, match="cannot be written"),
        written(tmp_path / "results" / "round1.txt") as part,
    ):
        part.write_text("never")
