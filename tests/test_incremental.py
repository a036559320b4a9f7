"""What becomes stale when something changes, and that nothing else does."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, Game, make_bundle, make_picture

from scripts import settings
from scripts.bundles import Bundle
from scripts.files import digest

STAGE = re.compile(r"Round (\d+) of cow: (describing|painting) ")
ALL = {"caption1", "generate1", "caption2", "generate2"}
PAINTED = ALL - {"caption1"}  # all that follows from a picture


class Copy(Game):
    """A copy of the whole workflow, played in place as by a person."""

    def call(self, *arguments: str, **settings: object):
        return super().call("-s", str(self.path("Snakefile")), *arguments, **settings)

    def stale(self, *arguments: str, **settings: object) -> set[str]:
        """The stages that would be played."""
        call = self.play("--dry-run", *arguments, **settings)
        kinds = {"describing": "caption", "painting": "generate"}
        return {kinds[kind] + number for number, kind in STAGE.findall(call.text)}

    def edit(self, path: str, old: str = "", new: str = "") -> None:
        """Replaces a piece of a text file; adds at its end if there is no `old`."""
        text = self.path(path).read_text()
        assert old in text
        self.path(path).write_text(text.replace(old, new) if old else text + new)


@pytest.fixture(scope="module")
def played(new_game: Callable[[], Game]) -> Copy:
    game = Copy(new_game().folder)
    for name in ("rules", "scripts", "profiles"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, game.path(name), ignore=ignored)
    shutil.copy2(ROOT / "Snakefile", game.path("Snakefile"))
    make_bundle(game.path("models", "other"), seed=5)
    make_picture(game.path("another.png"), seed=9)
    game.play()
    return game


@pytest.fixture
def copy(played: Copy, tmp_path: Path) -> Copy:
    """The game as it was played, to be spoilt."""
    shutil.copytree(played.folder, tmp_path / "game")
    return Copy(tmp_path / "game")


def section(game: Copy, part: str, **changes: object) -> None:
    path = game.path("models/tiny/bundle.yaml")
    sizes = yaml.safe_load(path.read_text())
    sizes[part] |= changes
    path.write_text(yaml.safe_dump(sizes))


def replace_base(game: Copy, time: float | None = None) -> None:
    shutil.copy(game.path("another.png"), game.path("input/cow.png"))
    if time is not None:
        os.utime(game.path("input/cow.png"), (time, time))


def replace_weights(game: Copy, part: str) -> None:
    file = f"{part}.safetensors"
    shutil.copy(game.path("models/other", file), game.path("models/tiny", file))


def date(game: Copy, year: int, *names: str) -> None:
    """Gives files another date, and leaves what they hold."""
    then = (year - 1970) * 365.25 * 86400
    for name in names:
        os.utime(game.path(name), (then, then))


def write_out_defaults(game: Copy) -> None:
    """Adds every setting that has a default, to bundle.yaml in another order."""
    path = game.path("models/tiny/bundle.yaml")
    whole = Bundle.read("tiny", path.parent.parent).settings
    whole["generator"]["sentence"] = whole["text_encoder"]["features"]
    whole["painter"] = {"kind": "attngan"}
    assert whole["generator"]["first_width"] == 0 and whole["captioner"]["kind"] == "cnn_lstm"
    turned = {part: dict(reversed(own.items())) for part, own in reversed(whole.items())}
    path.write_text(yaml.safe_dump(turned, sort_keys=False))
    path = game.path("config.yaml")
    defaults = settings.defaults(ROOT / "rules/schemas/config.schema.yaml")
    path.write_text(yaml.safe_dump({**defaults, **yaml.safe_load(path.read_text())}))


def rewrite(game: Copy, module: str) -> None:
    """Adds a statement, which could do anything."""
    game.edit(f"scripts/{module}", new="\nADDED = 1\n")


SETTINGS = [
    ({}, set()),
    ({"seed": 100, "bundle": "tiny"}, set()),
    ({"device": "cpu"}, set()),
    ({"candidates": 3}, set()),
    ({"rounds": 1}, set()),
    ({"rounds": 3}, {"caption3", "generate3"}),
]


# (Names without sets in them, whose order differs from process to process.)
@pytest.mark.parametrize(("given", "stale"), SETTINGS, ids=[str(given) for given, _ in SETTINGS])
def test_settings(given: dict, stale: set[str], played: Copy):
    assert played.stale(**given) == stale


def test_cores_and_threads(played: Copy):
    assert played.stale(cores=2) == set()
    assert played.stale("--set-threads", "generate=2", "caption=2") == set()


CHANGES: dict[str, tuple[Callable[[Copy], object], set[str]]] = {
    "comment in config.yaml": (lambda g: g.edit("config.yaml", new="# a comment\n"), set()),
    "base picture": (replace_base, ALL),
    "base picture, an older file": (lambda g: replace_base(g, time=1e9), ALL),
    "base picture, another format": (
        lambda g: (
            g.path("another.png").rename(g.path("input/cow.tiff"))
            and g.path("input/cow.png").unlink()
        ),
        ALL,
    ),
    "base picture, touched": (lambda g: g.path("input/cow.png").touch(), set()),
    "another base picture": (lambda g: make_picture(g.path("input/bear.png")), set()),
    "captioner's weights": (lambda g: replace_weights(g, "captioner"), ALL),
    "captioner's words": (lambda g: g.edit("models/tiny/captioner.txt", "boat", "ship"), ALL),
    "captioner's sizes": (lambda g: section(g, "captioner", max_words=6), ALL),
    "text encoder's weights": (lambda g: replace_weights(g, "text_encoder"), PAINTED),
    "text encoder's words": (
        lambda g: g.edit("models/tiny/text_encoder.txt", "boat", "ship"),
        PAINTED,
    ),
    "text encoder's sizes": (lambda g: section(g, "text_encoder", dropout=0.1), PAINTED),
    "generator's weights": (lambda g: replace_weights(g, "generator"), PAINTED),
    "generator's sizes": (lambda g: section(g, "generator", residuals=2), PAINTED),
    "comment in bundle.yaml": (
        lambda g: g.edit("models/tiny/bundle.yaml", new="# a comment\n"),
        set(),
    ),
    "every default, written out": (write_out_defaults, set()),
    "a size that is no default": (lambda g: section(g, "generator", first_width=8), PAINTED),
    "the weights' dates": (
        lambda g: [path.touch() for path in g.path("models/tiny").glob("*.*t*")],
        set(),
    ),
    "the painter's weights, an older file": (
        lambda g: (
            replace_weights(g, "generator"),
            date(g, 1999, "models/tiny/generator.safetensors"),
        ),
        PAINTED,
    ),
    "captioner's words, an older file": (
        lambda g: (
            g.edit("models/tiny/captioner.txt", "boat", "ship"),
            date(g, 1999, "models/tiny/captioner.txt"),
        ),
        ALL,
    ),
    "another bundle's weights": (
        lambda g: g.path("models/other/generator.safetensors").touch(),
        set(),
    ),
    "the captioner's network": (lambda g: rewrite(g, "captioner/network.py"), ALL),
    "how pictures are opened": (lambda g: rewrite(g, "untrusted/pictures.py"), ALL),
    "the text encoder's network": (lambda g: rewrite(g, "attngan/text_encoder.py"), PAINTED),
    "how a painting becomes a PNG": (lambda g: rewrite(g, "stages/generate.py"), PAINTED),
    "a comment in code": (
        lambda g: g.edit("scripts/attngan/generator.py", new="\n\n# a comment\n"),
        set(),
    ),
    "the code of messages": (lambda g: rewrite(g, "errors.py"), set()),
    "the strip's code": (lambda g: rewrite(g, "figures/strip.py"), set()),
    "a caption, by hand": (
        lambda g: g.edit("results/cow/round1.txt", new="cow\n"),
        PAINTED,
    ),
    "a picture, by hand": (
        lambda g: shutil.copy(g.path("another.png"), g.path("results/cow/round1.png")),
        {"caption2", "generate2"},
    ),
    "a picture, deleted": (lambda g: g.path("results/cow/round1.png").unlink(), {"generate1"}),
    "a picture, deleted, and the generator's weights": (
        lambda g: (
            g.path("results/cow/round1.png").unlink(),
            replace_weights(g, "generator"),
        ),
        PAINTED,
    ),
    "a picture, deleted, and the base picture": (
        lambda g: (g.path("results/cow/round1.png").unlink(), replace_base(g)),
        ALL,
    ),
}


@pytest.mark.parametrize(("change", "stale"), CHANGES.values(), ids=CHANGES)
def test_changes(change: Callable[[Copy], object], stale: set[str], copy: Copy):
    change(copy)
    assert copy.stale() == stale


@pytest.fixture(scope="module")
def longer(played: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Five rounds, played on from two."""
    folder = tmp_path_factory.mktemp("longer") / "game"
    shutil.copytree(played.folder, folder)
    game = Copy(folder)
    game.edit("config.yaml", "rounds: 2", "rounds: 5")
    before = game.times()
    assert (
        game.play(terminal="snakemake").text.count("Rule: ") == 2 * 3 + 3
    )  # three rounds, strip, page, all
    after = game.times()
    before = {name: time for name, time in before.items() if not name.startswith("index")}
    del before["cow/strip.png"]
    assert {name: after[name] for name in before} == before
    return game


def test_a_deleted_picture_comes_back_and_later_rounds_stand(longer: Copy):
    contents, times = longer.contents(), longer.times()
    longer.path("results/cow/round3.png").unlink()
    longer.play()
    assert longer.contents() == contents
    changed = {name for name, time in longer.times().items() if time != times[name]}
    changed = {name for name in changed if not name.startswith("index")}
    assert changed == {"cow/round3.png", "cow/round3.json", "cow/strip.png"}
    assert longer.call().nothing


def test_several_deleted_pictures_come_back_alone(longer: Copy):
    contents, times = longer.contents(), longer.times()
    for number in (1, 2, 4):
        longer.path(f"results/cow/round{number}.png").unlink()
    longer.play()
    assert longer.contents() == contents
    changed = {name for name, time in longer.times().items() if time != times[name]}
    assert not changed & {f"cow/round{n}.txt" for n in range(1, 6)}
    assert not changed & {"cow/round3.png", "cow/round5.png"}
    assert longer.call().nothing


def test_one_deleted_picture_can_be_asked_for_alone(longer: Copy):
    contents, times = longer.contents(), longer.times()
    longer.path("results/cow/round3.png").unlink()
    longer.play("results/cow/round3.png")
    assert longer.contents() == contents
    assert longer.times()["cow/round5.png"] == times["cow/round5.png"]
    assert longer.call("results/cow/round5.png").nothing


@pytest.mark.parametrize(
    "names",
    [
        ["round3.txt"],
        ["round3.json"],
        ["round2.png", "round3.txt"],
        ["captions/round2.json"],
        ["captions/round1.json", "captions/round5.json", "round4.png"],
    ],
)
def test_other_deleted_files_come_back_as_they_were(names: list[str], longer: Copy):
    contents = longer.contents()
    for name in names:
        longer.path("results/cow", name).unlink()
    longer.play()
    assert longer.contents() == contents
    assert longer.call().nothing


def test_a_text_of_ones_own_is_never_said_again(longer: Copy, tmp_path: Path):
    """It has no caption's record, and what stands in its place is not restored."""
    shutil.copytree(longer.folder, tmp_path / "game")
    game = Copy(tmp_path / "game")
    game.path("results/cow/round5.txt").write_text("a red cow\n")
    game.path("results/cow/captions/round5.json").unlink()
    game.play()
    assert game.path("results/cow/round5.txt").read_text() == "a red cow\n"
    assert json.loads(game.path("results/cow/round5.json").read_text())["captioner"] is None
    assert game.call().nothing


def test_forced_stages_work_where_a_picture_was_deleted(longer: Copy):
    contents = longer.contents()
    longer.path("results/cow/round3.png").unlink()
    longer.play("--forceall")
    assert longer.contents() == contents
    assert longer.call().nothing


def test_after_a_change_has_been_played_nothing_is_left_to_do(copy: Copy):
    before = copy.contents()
    weights = copy.path("models/tiny/generator.safetensors").read_bytes()
    replace_weights(copy, "generator")
    copy.play()
    assert copy.call().nothing
    after = copy.contents()
    assert after["cow/round1.txt"] == before["cow/round1.txt"]
    assert after["cow/round1.png"] != before["cow/round1.png"]
    copy.path("models/tiny/generator.safetensors").write_bytes(weights)
    copy.play()
    assert copy.contents() == before
    assert copy.call().nothing


@pytest.mark.parametrize(
    "name", ["input/cow.png", "models/tiny/captioner.txt", "models/tiny/generator.safetensors"]
)
def test_a_file_that_is_dated_in_the_future_is_named(name: str, copy: Copy):
    date(copy, 2100, name)
    contents = copy.contents()
    call = copy.call("all", rounds=3)
    assert call.code != 0 and "Traceback" not in call.text and "clock skew" not in call.text
    assert call.text.count(f"{name}: this file is dated ") == 1, call.text
    after = copy.contents()
    assert {name for name in contents if after[name] != contents[name]} <= {
        *("index.html", "index_files/data.js")  # the page tells what stands
    }


@pytest.mark.parametrize("name", ["captioner.txt", "generator.safetensors"])
def test_what_is_edited_during_a_game_is_played_anew(
    name: str, new_game: Callable[[], Game], tmp_path: Path
):
    """Nothing is recorded with the new digest that was played with the old file."""
    game, path = Game(new_game().folder), Path("models/tiny", name)
    make_bundle(game.path("models/other"), seed=5)
    said = tmp_path / "said"
    call = game.start("results/cow/round60.png", said=said)
    while not game.path("results/cow/round2.json").exists():
        assert call.exitcode is None, said.read_text()
        time.sleep(0.01)
    if path.suffix == ".txt":
        game.path(path).write_text(game.path(path).read_text().replace("boat", "ship"))
    else:
        shutil.copy(game.path("models/other", name), game.path(path))
    call.join(120)
    assert call.exitcode == 1, said.read_text()
    assert f"{name} changed while it was played with" in said.read_text()
    assert "Traceback" not in said.read_text()
    then = {json.loads(p.read_text())["bundle"]["files"][name] for p in records_of(game)}
    assert then and digest(game.path(path)) not in then
    game.play("results/cow/round4.png")
    for record in records_of(game)[:4]:
        assert json.loads(record.read_text())["bundle"]["files"][name] == digest(game.path(path))


def records_of(game: Game) -> list[Path]:
    found = game.path("results/cow").glob("round*.json")
    return sorted(found, key=lambda path: int(path.stem.removeprefix("round")))
