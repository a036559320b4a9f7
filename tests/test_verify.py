"""Recorded stages are played again, and what differs is named."""

import json
import shutil
from collections.abc import Callable

import pytest
from conftest import Game, make_bundle
from PIL import Image


@pytest.fixture(scope="module")
def played(new_game: Callable[[], Game]) -> Game:
    game = new_game()
    game.path("input/words.txt").write_text("a red cow\n")
    game.play("all", "results/cow@7/round2.png")
    return game


@pytest.fixture
def copy(played: Game, tmp_path) -> Game:
    shutil.copytree(played.folder, tmp_path / "game")
    return Game(tmp_path / "game")


def rows(game: Game) -> list[list[str]]:
    return [line.split("\t") for line in game.path("results/verify.tsv").read_text().splitlines()]


def test_what_was_played_comes_out_again(copy: Game):
    call = copy.play("verify", verify=1)
    assert "12 of 12 recorded stages were played again: all the same" in call.text
    assert [row[3] for row in rows(copy)[1:]] == ["yes"] * 12
    again = copy.play("verify", verify=1)  # it has no output that would make it idle
    assert "12 of 12" in again.text


def test_a_share_is_always_the_same_share_and_never_nothing(copy: Game):
    copy.play("verify", verify=0.5)
    half = rows(copy)
    copy.play("verify", verify=0.5)
    assert rows(copy) == half
    copy.play("verify", verify=0.001)
    assert len(rows(copy)) == 2


def test_what_differs_is_named(copy: Game):
    copy.path("results/cow/round2.txt").write_text("a blue cow\n")
    with Image.open(copy.path("results/words/round1.png")) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(picture.filename)
    damaged = copy.path("results/cow@7/round2.png")
    damaged.write_bytes(damaged.read_bytes()[:-40])
    call = copy.call("verify", verify=1)
    assert call.code != 0 and "Traceback" not in call.text
    said = call.text
    assert "results/cow: round 2: the caption of results/cow/round1.png was 'a blue cow'" in said
    assert "results/cow: round 2: the picture comes out otherwise" in said
    assert "results/words: round 1: the picture that lies there is not the one" in said
    assert "nothing recorded has changed" in said
    assert "results/cow@7: round 2: it cannot be played again (UserError: " in said
    assert {row[0] for row in rows(copy) if row[3] == "no"} == {"cow", "cow@7", "words"}


def test_what_has_changed_since_is_named(copy: Game):
    other = make_bundle(copy.path("models/other"), seed=5)
    shutil.copy(other / "generator.safetensors", copy.path("models/tiny"))
    record = copy.path("results/cow/round1.json")
    told = json.loads(record.read_text())
    told["versions"]["torch"] = "1.0"
    record.write_text(json.dumps(told))
    call = copy.call("verify", verify=1)
    assert call.code != 0
    changed = "(changed since: generator.safetensors, torch)"
    assert f"results/cow: round 1: the picture comes out otherwise {changed}" in call.text
    assert "round 1: the caption" not in call.text  # captions do not depend on it


def test_there_is_nothing_to_verify(new_game: Callable[[], Game]):
    call = new_game().call("verify")
    assert call.code != 0 and "Traceback" not in call.text
    assert "holds no recorded round; play a game first" in call.text


CHANGES = {
    "seed": 8, "caption": "a red kite", "words": ["cow"], "word_ids": [1], "round": 3,
    "chain": "bear", "image": "bear", "candidate": 1, "size": [1, 1],
    "captioner": {"beam": 1, "log_probability": -99.0}, "unknown_words": ["x"],
    "recipe": "0" * 64, "versions": {"torch": "1.0"}, "device": "cuda", "batch": 8,
    "artist": "somebody",
}  # fmt: skip
# Of these nobody knows what they were; but the picture has a digest of its record.
UNKNOWN = ("recipe", "versions", "device", "batch", "artist")
INSIDE = {  # of the bundle in a record
    "name": ("", "", "other"),
    "files": ("", "generator.safetensors", "0" * 64),
    "sizes": ("generator", "width", 9),
}


def edit(path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_every_field_that_a_record_states_is_checked(copy: Game):
    for number in range(1, len(CHANGES) + 1):
        shutil.copy(copy.path("input/cow.png"), copy.path(f"input/c{number}.png"))
    for name in ("said", "strange", "noted", "moved", *INSIDE):
        shutil.copy(copy.path("input/cow.png"), copy.path(f"input/{name}.png"))
    copy.play("all", rounds=1)
    for number, (field, value) in enumerate(CHANGES.items(), 1):
        edit(copy.path(f"results/c{number}/round1.json"), **{field: value})
    edit(copy.path("results/said/captions/round1.json"), log_probability=-99.0)
    edit(copy.path("results/cow/captions/round1.json"), caption="a kite")
    edit(copy.path("results/strange/captions/round1.json"), player={"kind": "x"}, artist="y")
    for name, (part, key, value) in INSIDE.items():
        path = copy.path(f"results/{name}/round1.json")
        bundle = json.loads(path.read_text())["bundle"]
        (bundle[name][part] if part else bundle[name] if key else bundle)[key or name] = value
        edit(path, bundle=bundle)
    with Image.open(copy.path("results/noted/round1.png")) as picture:
        picture.load()
        picture.save(copy.path("results/noted/round1.png"))  # without its notes
    copy.path("input/moved.png").unlink()
    copy.path("results/cow@7/round1.json").unlink()
    copy.path("results/cow@7/captions/round2.json").unlink()
    call = copy.call("verify", verify=1)
    assert call.code != 0 and "Traceback" not in call.text
    told = {(chain, stage): why for chain, _, stage, same, why in rows(copy)[1:] if same == "no"}
    for number, field in enumerate(CHANGES, 1):
        why = told.pop((f"c{number}", "generate"))
        odd = "comes out otherwise" if field == "seed" else "note 'record'"
        assert odd in why if field in (*UNKNOWN, "seed") else field in why, why
    for name, says in zip(
        INSIDE, ("other", "files.generator.safetensors", "sizes.generator.width"), strict=True
    ):
        assert says in told.pop((name, "generate"))
    assert "the record's player.kind is 'x'" in (why := told.pop(("strange", "caption")))
    assert "artist is nothing known" in why
    assert "the record's log_probability" in told.pop(("said", "caption"))
    assert "the record's caption" in told.pop(("cow", "caption"))
    assert "PNG's note 'seed'" in told.pop(("noted", "generate"))
    assert "input/ holds no picture and no text called moved" in told.pop(("moved", "chain"))
    assert "results/cow@7/round1.json is missing" in told.pop(("cow@7", "generate"))
    assert "captions/round2.json is missing" in told.pop(("cow@7", "caption"))
    assert set(told) <= {
        ("cow", "generate"),
        ("said", "generate"),
        ("name", "caption"),
    }  # how sure its captioner was is another's
    assert "cannot be verified" in call.text


def test_rounds_are_played_again_as_they_were_not_as_the_config_says(copy: Game):
    call = copy.play("verify", verify=1, seed=8, captioner="{beam: 3}")
    assert "12 of 12 recorded stages were played again: all the same" in call.text


def test_a_caption_changed_by_hand_has_no_probability(copy: Game):
    copy.path("results/cow/round1.txt").write_text("a red cow\n")
    copy.play("results/cow/round1.png")
    record = json.loads(copy.path("results/cow/round1.json").read_text())
    assert record["caption"] == "a red cow" and record["captioner"] is None
