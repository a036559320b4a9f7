"""Two roles, any kind in each: mixed bundles, a whole game with models of today, batches."""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import modern
import numpy as np
import pytest
import yaml
from conftest import Game, make_bundle, make_picture

from scripts import batches, networks
from scripts.bundles import Bundle
from scripts.chains import parse
from scripts.errors import UserError
from scripts.stages.caption import describe
from scripts.stages.generate import paint
from scripts.untrusted.pictures import open_picture

MODELS = {"blip": modern.blip, "stable_diffusion": modern.stable_diffusion}
MATRIX = {"tiny": ("tiny", "tiny"), "modern": ("modern", "modern"),
          "new_painter": ("tiny", "modern"), "new_captioner": ("modern", "tiny")}  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hub")
    return {name: make(folder / name) for name, make in MODELS.items()}


def write(game: Game, name: str, **sections: object) -> None:
    path = game.path("models", name, "bundle.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(sections))


def mix(game: Game, models: dict[str, Path]) -> None:
    """Puts the four bundles of the matrix into a game that has the first."""
    captioner = {"kind": "transformers", "model": str(models["blip"]), "min_tokens": 4}
    painter = {"kind": "diffusers", "model": str(models["stable_diffusion"]), "size": 32}
    write(game, "modern", captioner=captioner | {"max_tokens": 8}, painter=painter | {"steps": 2})
    for name, (says, paints) in MATRIX.items():
        if says != paints:
            write(game, name, captioner={"from": says}, painter={"from": paints})


@pytest.fixture(scope="module")
def played(new_game: Callable[[], Game], models: dict[str, Path]) -> Game:
    game = new_game()
    mix(game, models)
    study = "study: {bundles: [tiny, modern, new_painter, new_captioner]}\n"
    game.path("config.yaml").write_text(f"bundle: tiny\nrounds: 2\ncandidates: 3\n{study}")
    figures = ["strip.png", "film.gif", "drift.svg", "candidates/round1.png"]
    game.play("all", "study", *(f"results/cow+modern/{name}" for name in figures), cores=2)
    return game


def chain_of(bundle: str) -> str:
    return "cow" if bundle == "tiny" else f"cow+{bundle}"


def test_a_game_with_models_of_today_is_a_game_like_any_other(played: Game):
    assert played.call("study", "results/cow+modern/drift.svg").nothing
    for number in (1, 2):
        record = json.loads(played.path(f"results/cow+modern/round{number}.json").read_text())
        said = json.loads(
            played.path(f"results/cow+modern/captions/round{number}.json").read_text()
        )
        assert record["caption"] == said["caption"]
        assert record["size"] == [32, 32]
        assert record["unknown_words"] is None  # it reads every word, in pieces
        assert said["log_probability"] < 0
        kinds = {role: player["kind"] for role, player in record["players"].items()}
        assert kinds == {"captioner": "transformers", "painter": "diffusers"}
        assert {"transformers", "diffusers"} <= set(record["versions"])
        assert record["bundle"]["sizes"]["painter"]["steps"] == 2
        assert "painter/unet/diffusion_pytorch_model.safetensors" in record["bundle"]["files"]


def test_a_mixed_bundle_has_each_players_results(played: Game):
    """The first caption hangs on the captioner alone, a caption's picture on the painter."""
    first = {name: played.path(f"results/{chain_of(name)}/round1.txt") for name in MATRIX}
    said = {name: path.read_text() for name, path in first.items()}
    assert said["new_painter"] == said["tiny"] != said["modern"] == said["new_captioner"]
    for name, (_, owner) in MATRIX.items():
        chain = parse(f"cow+{name}", 100, "tiny")
        bundles = [Bundle.read(each, played.path("models")) for each in (name, owner)]
        one, other = (paint("a red cow", chain, 1, bundle, "cpu", 1)[0] for bundle in bundles)
        assert one.tobytes() == other.tobytes()


def test_a_study_compares_the_matrix(played: Game):
    table = played.path("results/study/chains.tsv").read_text().splitlines()
    column = table[0].split("\t").index("bundle")
    assert {line.split("\t")[column] for line in table[1:]} == set(MATRIX)


def test_what_was_played_comes_out_again(played: Game):
    assert (
        "16 of 16 recorded stages were played again: all the same"
        in played.play("verify", verify=1).text
    )


def test_missing_attention_maps_are_told_in_one_line(
    played: Game, game: Game, models: dict[str, Path]
):
    call = played.call("results/cow+modern/attention/round1.png")
    assert call.code != 0 and "Traceback" not in call.text
    said = "models/modern/bundle.yaml: there are no attention maps with this bundle: "
    assert f"Error: {said}a painter of the kind diffusers has none." in call.text
    mix(game, models)
    figures = game.play("figures", "--dry-run", bundle="modern")
    assert "results/cow/candidates/round2.png" in figures.text
    assert "results/cow/attention" not in figures.text
    assert "results/cow/related.png" not in figures.text


STALE = {  # what a change of models/modern makes stale, of these chains
    "steps": ("painter", {"steps": 3}, {"modern", "new_painter"}, "painting"),
    "max_tokens": ("captioner", {"max_tokens": 7}, {"modern", "new_captioner"}, "describing"),
}


@pytest.mark.parametrize(("role", "change", "stale", "stage"), STALE.values(), ids=STALE)
def test_a_changed_setting_makes_stale_what_depends_on_it(
    role: str, change: dict, stale: set, stage: str, played: Game
):
    path = played.path("models/modern/bundle.yaml")
    before = path.read_text()
    sections = yaml.safe_load(before)
    sections[role] |= change
    path.write_text(yaml.safe_dump(sections))
    try:
        chains = [chain_of(name) for name in MATRIX]
        call = played.play("--dry-run", *(f"results/{chain}/round2.png" for chain in chains))
        first = {chain for chain in chains if f"Round 1 of {chain}: {stage}" in call.text}
        assert first == {f"cow+{name}" for name in stale}
        said_anew = {chain for chain in chains if f"Round 1 of {chain}: describing" in call.text}
        assert not said_anew if stage == "painting" else said_anew == first
    finally:
        path.write_text(before)


def test_a_model_that_has_changed_makes_its_rounds_stale(played: Game, models: dict[str, Path]):
    path = models["stable_diffusion"] / "scheduler" / "scheduler_config.json"
    before = path.read_text()
    path.write_text(before.replace("{", "{ ", 1))
    try:
        call = played.play("--dry-run", "results/cow+modern/round1.png", "results/cow/round1.png")
        assert "Round 1 of cow+modern: painting" in call.text
        assert "Round 1 of cow: " not in call.text
    finally:
        path.write_text(before)


# --- what bundle.yaml may say


def message(game: Game, name: str) -> str:
    call = game.call("--dry-run", f"results/cow+{name}/round1.png")
    assert call.code != 0 and "Traceback" not in call.text
    return call.text


def test_wrong_players_are_told(game: Game):
    write(game, "odd", captioner={"kind": "parrot"}, painter={"from": "tiny"})
    kinds = "it must be one of cnn_lstm, transformers."
    assert f"models/odd/bundle.yaml: captioner.kind is 'parrot'; {kinds}" in message(game, "odd")
    write(game, "odd", captioner={"from": "tinny"}, painter={"from": "tiny"})
    said = message(game, "odd")
    assert "models/odd/bundle.yaml: captioner: models/ holds no bundle called tinny" in said
    assert "Did you mean tiny?" in said
    write(game, "odd", captioner={"from": "even"}, painter={"from": "tiny"})
    write(game, "even", captioner={"from": "odd"}, painter={"from": "tiny"})
    assert "captioner: odd from even from odd goes round in a circle." in message(game, "odd")
    write(game, "odd", captioner={"from": "tiny"}, painter={"from": "tiny"}, generator={"width": 4})
    assert "models/odd/bundle.yaml: there is no setting generator." in message(game, "odd")
    write(game, "odd", captioner={"from": "tiny", "beams": 2}, painter={"from": "tiny"})
    assert "there is no setting captioner.beams" in message(game, "odd")
    for kind in (["a"], {"a": 1}, 3, None):
        write(game, "odd", captioner={"kind": kind}, painter={"from": "tiny"})
        with pytest.raises(UserError, match="captioner.kind is .*; it must be one of cnn_lstm"):
            Bundle.read("odd", game.path("models"))
    here = {"captioner": {"from": "tiny"}, "painter": {"from": "tiny"}}
    write(game, "odd", **here, resources={"painter": {"gpus": 1}})
    with pytest.raises(UserError, match="there is no setting resources.painter"):
        Bundle.read("odd", game.path("models"))
    for wrong in ({"captioner": {"from": 3}}, {"captioner": []}, {"captioner": None}):
        write(game, "odd", **here | wrong)
        with pytest.raises(UserError, match="models/odd/bundle.yaml: .*captioner"):
            Bundle.read("odd", game.path("models"))
    write(game, "odd", captioner={"from": "tiny"})
    assert message(game, "odd").count("models/odd/bundle.yaml: it lacks ") == 1


FORBIDDEN = """
import sys
from importlib.machinery import PathFinder
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "transformers", "diffusers"):
            spec = PathFinder.find_spec(name, path)
            spec.loader.exec_module = lambda module: sys.exit(f"{name} was imported")
            return spec
sys.meta_path.insert(0, Forbidden())
"""


def test_planning_imports_no_library_of_models(
    new_game: Callable[[], Game], models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
):
    """With models in folders, one of which brings code, and with one that is yet to be fetched."""
    game = Game(new_game().folder, fresh=True)
    mix(game, models)
    folder = shutil.copytree(models["blip"], game.path("with-code"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "a.B"}}))
    captioner = {"kind": "transformers", "model": str(folder)}
    write(game, "code", captioner=captioner, painter={"from": "modern"})
    painter = {"kind": "diffusers", "model": "org/sd"}
    write(game, "hub", captioner={**captioner, "model": "org/seer"}, painter=painter)
    game.path("watch").mkdir()
    game.path("watch", "sitecustomize.py").write_text(FORBIDDEN)
    monkeypatch.setenv("PYTHONPATH", str(game.path("watch")))
    wanted = [f"results/cow+{name}/round1.png" for name in ("modern", "code", "hub")]
    call = game.play("--dry-run", "results/cow+modern~temperature-1/round1.txt", *wanted)
    assert "Fetching org/sd for models/hub" in call.text
    watched = subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, text=True)
    assert watched.stderr == "torch was imported\n"


def test_the_kind_of_our_own_networks_may_be_written(tmp_path: Path):
    folder = make_bundle(tmp_path / "own", captioner={"kind": "cnn_lstm"})
    assert Bundle.read("own", folder.parent).network("captioner", "cpu").config.size == 32


def test_what_is_built_from_a_bundle_is_the_same_for_all(tmp_path: Path):
    """A generator takes what the text encoder gives, whether it says so or not."""
    folder = make_bundle(tmp_path / "own", text_encoder={"features": 24})
    bundle = Bundle.read("own", folder.parent)
    assert networks.configure(bundle, "generator").sentence == 24
    assert networks.described(bundle, "generator").config.sentence == 24
    assert networks.network(bundle, "generator", "cpu").config.sentence == 24


def test_a_bundle_says_what_a_cluster_must_give(game: Game):
    write(game, "large", captioner={"from": "tiny"}, painter={"from": "card"})
    sections = yaml.safe_load(game.path("models/tiny/bundle.yaml").read_text())
    del sections["captioner"]
    needs = {"painter": {"mem_mb": 24000, "gpus": 1}}
    write(game, "card", captioner={"from": "tiny"}, **sections, resources=needs)
    for part in ("generator.safetensors", "text_encoder.safetensors", "text_encoder.txt"):
        game.path("models/card", part).symlink_to(game.path("models/tiny", part))
    large, tiny = (Bundle.read(name, game.path("models")) for name in ("large", "tiny"))
    assert [(player.mem_mb, player.gpus) for player in large.players] == [(2000, 0), (24000, 1)]
    assert [(player.mem_mb, player.gpus) for player in tiny.players] == [(2000, 0), (3000, 0)]
    game.play("results/cow+large/round1.png", "results/cow/round1.png")  # cards are a cluster's


# --- batches


def test_chains_that_wait_are_played_together_and_batches_are_always_full():
    seen: list[list[int]] = []
    begun = threading.Event()

    def work(items: list[int]) -> list[int]:
        seen.append(items)
        begun.set()
        time.sleep(0.2 if len(seen) == 1 else 0)
        return [10 * item for item in items]

    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(batches.play, "together", work, [0], 4)
        begun.wait()
        others = [threads.submit(batches.play, "together", work, [n], 4) for n in range(1, 9)]
        assert [job.result()[0] for job in [first, *others]] == [10 * n for n in range(9)]
    assert [len(items) for items in seen] == [4, 4, 4]
    assert seen[0] == [0, 0, 0, 0]
    assert sorted(seen[1] + seen[2]) == list(range(1, 9))


def test_no_picture_suffers_from_anothers_fault():
    def work(items: list[int]) -> list[int]:
        if 3 in items:
            raise UserError("not this one")
        return items

    assert batches.play("faults", work, [1, 2], 4) == [1, 2]
    with pytest.raises(UserError, match="not this one"):
        batches.play("faults", work, [1, 3, 2], 4)
    with ThreadPoolExecutor(3) as threads:
        jobs = [threads.submit(batches.play, "faults", work, [n], 4) for n in (1, 2, 3)]
    assert [job.exception() is None for job in jobs] == [True, True, False]


def test_a_cpu_plays_alone():
    assert batches.size("cpu", 8) == 1
    assert batches.size("cuda:1", 8) == batches.size("mps", 8) == 8


@pytest.mark.parametrize("owner", ["tiny", "modern"])
def test_company_changes_no_bit_of_a_batch(
    owner: str, played: Game, monkeypatch: pytest.MonkeyPatch
):
    """As a graphics card would be told to play, on the CPU."""
    monkeypatch.setattr(batches, "size", lambda device, batch: batch)
    bundle = Bundle.read(owner, played.path("models"))
    chain = parse("cow", 100, owner)
    captions = ["a red cow", "the old kite on a large tree", "a small boat with a red ball"]
    alone = [paint(caption, chain, 1, bundle, "cpu", 1, batch=4)[0] for caption in captions]
    with ThreadPoolExecutor(3) as threads:
        jobs = [
            threads.submit(paint, text, chain, 1, bundle, "cpu", 1, batch=4) for text in captions
        ]
        assert [job.result()[0].tobytes() for job in jobs] == [one.tobytes() for one in alone]
    candidates = paint(captions[0], chain, 1, bundle, "cpu", 1, range(3), batch=4)
    assert candidates[0].tobytes() == alone[0].tobytes()
    for caption, picture in zip(captions, alone, strict=True):
        one = paint(caption, chain, 1, bundle, "cpu", 1)[0]
        assert abs(np.asarray(one, int) - np.asarray(picture, int)).max() <= 1


@pytest.mark.parametrize("owner", ["tiny", "modern"])
def test_pictures_are_described_together(
    owner: str, played: Game, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    bundle = Bundle.read(owner, played.path("models"))
    pictures = [open_picture(make_picture(tmp_path / f"{n}.png", n)) for n in range(3)]
    alone = [describe(picture, bundle, "cpu", 1)[0] for picture in pictures]
    monkeypatch.setattr(batches, "size", lambda device, batch: batch)
    with ThreadPoolExecutor(3) as threads:
        jobs = [threads.submit(describe, one, bundle, "cpu", 1, batch=4) for one in pictures]
    for job, one in zip(jobs, alone, strict=True):
        said = job.result()[0]
        assert said.caption == one.caption
        assert said.log_probability == pytest.approx(one.log_probability, abs=1e-3)
