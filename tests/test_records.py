"""A chain keeps what it began with: no call changes that without a word, nor mixes two games."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Game, make_bundle
from test_errors import explained

from scripts import records
from scripts.chains import Chain, parse
from scripts.errors import UserError


@pytest.fixture(scope="module")
def played(new_game: Callable[[], Game]) -> Game:
    """Two rounds of two bases with seed 100, the bundle tiny and a beam of 1."""
    game = new_game()
    make_bundle(game.path("models/other"), seed=5)
    shutil.copy(game.path("input/cow.png"), game.path("input/bear.png"))
    game.play()
    return game


OTHERS = [
    ({"seed": 7}, "seed 100", "seed 7", "results/cow@7/"),
    ({"bundle": "other"}, "bundle tiny", "bundle other", "results/cow+other/"),
    ({"captioner": "{beam: 3}"}, "captioner.beam 1", "captioner.beam 3", "Set captioner.beam 1"),
]


@pytest.mark.parametrize(("settings", "then", "now", "instead"), OTHERS, ids=str)
def test_a_call_that_would_change_a_chain_says_so(
    settings: dict, then: str, now: str, instead: str, played: Game
):
    before = played.times()
    target = "results/cow/drift.tsv" if "seed" in settings else "results/cow/round3.png"
    said = explained(played.call(target, "--forceall", **settings))
    assert f"results/cow was played with {then}; this call's is {now}. Nothing was" in said
    assert instead in said and "remove it to play it anew" in said
    assert played.times() == before


def test_all_chains_that_would_change_are_named_at_once(played: Game):
    before = played.times()
    call = played.call(seed=7)
    explained(call)
    assert "results/bear was played with seed 100" in call.text
    assert "results/cow was played with seed 100" in call.text
    assert "results/bear@7/" in call.text
    assert played.times() == before


def test_what_the_message_says_works(played: Game, tmp_path: Path):
    game = Game(shutil.copytree(played.folder, tmp_path / "game"))
    before = game.contents()
    game.play("results/cow@7/round1.png", seed=7)  # beside
    assert {name: game.contents()[name] for name in before} == before
    shutil.rmtree(game.path("results/cow"))
    game.play("results/cow/round1.png", seed=7)  # anew
    seven = game.path("results/cow@7/round1.png").read_bytes()
    assert records.played(game.path("results/cow"))[1].seed == 7
    assert game.path("results/cow/round1.txt").read_text() == before["cow/round1.txt"].decode()
    assert records.played(game.path("results/cow@7"))[1].seed == 7 and seven
    said = explained(game.call("results/cow/round2.png"))
    assert "results/cow was played with seed 7; this call's is seed 100" in said
    assert "results/cow@100/" in said


def mix(folder: Path, rounds: dict[int, dict], name: str = "cow") -> Path:
    """A folder of records."""
    for number, told in rounds.items():
        record = {"image": "cow", "seed": 100, "bundle": {"name": "tiny"}, "captioner": {"beam": 1}}
        path = folder / name / f"round{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record | told))
    return folder


def refused(results: Path, *names: str) -> str:
    stand = {parse(name, 100, "tiny"): records.played(results / name) for name in names}
    with pytest.raises(UserError) as error:
        records.check(stand, 1, results)
    return str(error.value)


def test_a_mixed_folder_is_named(tmp_path: Path):
    eight, other = {"seed": 8}, {"bundle": {"name": "other"}}
    results = mix(tmp_path, {1: eight, 2: eight, 3: {}, 4: {}, 6: {}})
    said = refused(results, "cow")
    assert "cow holds rounds of different games: rounds 1–2 with seed 8; rounds 3–4, 6 with" in said
    assert "remove it" in said
    mix(tmp_path, {1: {}, 2: other, 3: {"captioner": {"beam": 5}}}, "cow@7")
    assert "round 2 with bundle other, captioner.beam 1; round 3 with" in refused(results, "cow@7")


def test_a_mixed_folder_stops_strip_drift_and_study(played: Game, tmp_path: Path):
    game = Game(shutil.copytree(played.folder, tmp_path / "game"))
    record = game.path("results/cow/round2.json")
    record.write_text(record.read_text().replace('"seed": 100', '"seed": 8'))
    for target in ("results/cow/strip.png", "results/cow/drift.svg", "study", "all"):
        said = explained(game.call(target))
        assert "results/cow holds rounds of different games" in said
    assert "round 1 with seed 100; round 2 with seed 8" in said


@pytest.mark.parametrize(
    ("name", "told", "says"),
    [
        ("cow@7", {}, "cow@7 was played with seed 100; its name stands for seed 7"),
        ("cow+other", {}, "with bundle tiny; its name stands for bundle other"),
        ("bear", {}, "with image cow; its name stands for image bear"),
        ("cow", {"seed": 100.0}, "with seed 100.0; this call's is seed 100"),
    ],
)
def test_a_folder_under_another_name_is_not_played_on(
    name: str, told: dict, says: str, tmp_path: Path
):
    assert says in refused(mix(tmp_path, {1: told}, name), name)


def test_what_tells_nothing_stops_nothing(tmp_path: Path):
    (tmp_path / "cow").mkdir()
    for number, text in enumerate(["", "{", "[" * 200_000, "[]", '{"seed": null}', "null"], 1):
        (tmp_path / "cow" / f"round{number}.json").write_text(text)
    (tmp_path / "cow" / "round9.png").write_bytes(b"no picture")
    chain = parse("cow", 100, "tiny")
    records.check({chain: records.played(tmp_path / "cow")}, 1, tmp_path)
    records.check({chain: records.played(tmp_path / "none")}, 1, tmp_path)


def test_a_picture_without_its_record_tells_by_its_notes(played: Game, tmp_path: Path):
    shutil.copytree(played.path("results/cow"), tmp_path / "cow")
    for record in tmp_path.glob("cow/**/*.json"):
        record.unlink()
    stand = records.played(tmp_path / "cow")
    assert stand[2] == records.Played("cow", 100, "tiny", None)
    with pytest.raises(UserError, match="with seed 100; this call's is seed 7"):
        records.check({Chain("cow", "cow", 7, "tiny"): stand}, 1, tmp_path)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "{", "[]", "null", "\x00"])
def test_what_is_no_record_is_refused_in_words(text: str, tmp_path: Path):
    (tmp_path / "round1.json").write_text(text)
    with pytest.raises(UserError, match=r"round1\.json: this is not (JSON|a record)"):
        records.read(tmp_path / "round1.json")


@pytest.mark.parametrize(
    "field",
    [
        *({"seed": seed} for seed in ("100", True, None, [100])),
        *({"bundle": bundle} for bundle in ("tiny", [], {"name": 7}, {"files": []})),
        *({"unknown_words": words} for words in ("zebra", 7, [7], {"zebra": 1})),
        *({"captioner": said} for said in ("said", [], 1)),
        *({"caption": text} for text in (None, 7, ["a cow"])),
        *({"passage": told} for told in ("blur-2", [2])),
        *({"versions": told} for told in ("2.14", {"torch": 2})),
        *({"round": number} for number in ("1", 1.0)),
    ],
    ids=str,
)
def test_a_record_has_values_of_the_types_that_records_have(field: dict, tmp_path: Path):
    (tmp_path / "round1.json").write_text(json.dumps(field))
    with pytest.raises(UserError, match=f"round1.json: this is not a record; its {[*field][0]}"):
        records.read(tmp_path / "round1.json")
    assert records.read_if_sound(tmp_path / "round1.json") == {}


def test_what_is_no_record_stops_no_figure_and_no_page(played: Game, tmp_path: Path):
    """Python's own reader of JSON ends the process on the first of these."""
    shutil.copytree(played.folder, tmp_path / "game")
    game = Game(tmp_path / "game")
    for name in ("cow/round1.json", "cow/captions/round2.json"):
        game.path("results", name).write_text("[" * 200_000)
    odd = {"seed": 100, "bundle": "tiny", "unknown_words": 7, "caption": None, "versions": []}
    game.path("results/bear/round1.json").write_text(json.dumps(odd))
    game.play("results/cow/strip.png", "results/bear/strip.png", "results/index.html")
    game.play("archive")
    said = game.call("verify", verify=1).text
    assert "Traceback" not in said
    assert "results/cow/round1.json: this is not JSON" in said
    assert "results/cow/captions/round2.json: this is not JSON" in said
    assert "results/bear/round1.json: this is not a record" in said


def test_a_file_where_a_folder_belongs_is_named(new_game: Callable[[], Game]):
    game = new_game()
    game.path("results").write_text("a file")
    assert "results: this is a file" in explained(game.call())
    game.path("results").unlink()
    for place in ("cow", "cow/captions"):
        game.path("results", place).parent.mkdir(exist_ok=True)
        game.path("results", place).write_text("a file")
        assert f"results/{place}: this is a file" in explained(game.call("results/cow/round1.png"))
        game.path("results", place).unlink()


def test_files_of_rounds_that_no_chain_can_have_are_not_counted(tmp_path: Path):
    for number in ("1", "4000", "4001", "99999999999", "9" * 200):
        tmp_path.joinpath(f"round{number}.json").write_text("{}")
    assert records.numbers(tmp_path) == [1, 4000]
