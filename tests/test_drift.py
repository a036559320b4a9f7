"""What a chain keeps: figures that can be counted by hand, and the table of a real chain."""

import contextlib
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import Game, make_bundle
from PIL import Image

from scripts.drift import texts
from scripts.drift.attributes import Attributes
from scripts.drift.chain import measure
from scripts.drift.pictures import alike, pixels
from scripts.errors import UserError
from scripts.storybook import grammar
from scripts.storybook.dataset import scene_of
from scripts.tables import read_rows
from scripts.untrusted.pictures import open_picture
from scripts.untrusted.texts import read_text

EYES = {"backbone": "mobilenet_v3_small", "size": 32, "features": 16, "regions": "8"}
ROOT = Path(__file__).parent.parent


@pytest.fixture
def seeing(game: Game) -> Game:
    """A game of three rounds with a bundle that has an image encoder, and attributes."""
    folder = make_bundle(game.path("models", "seeing"), image_encoder=EYES)
    signs = {"animal": {"cow": "cow", "bear": "bear"}, "size": {"small": "small", "any": "."}}
    (folder / "attributes.yaml").write_text(yaml.safe_dump(signs))
    game.path("config.yaml").write_text("bundle: seeing\nrounds: 3\n")
    return game


def test_words_are_kept_lost_and_new():
    change = texts.change("a red kite in the sky", "a red cow in a field")
    assert change == texts.Change(kept=3, lost=2, new=3)  # a, red, in


def test_bleu_of_the_same_words_is_one_and_of_none_nearly_zero():
    assert texts.bleu("a red kite in the sky", "a red kite in the sky") == 1
    assert texts.bleu("seven tiny boats sail", "a red kite in the sky") < 0.05
    # 5/6 words, 3/5 pairs, 1/4 triples, and 0.1/3 in the place of no four
    expected = (5 / 6 * 3 / 5 * 1 / 4 * 0.1 / 3) ** 0.25
    assert texts.bleu("a red kite on the sky", "a red kite in the sky") == pytest.approx(expected)


def test_captions_of_one_meaning_are_near(capfd: pytest.CaptureFixture):
    from transformers.utils import logging

    logging.enable_progress_bar()
    texts._loaded.cache_clear()
    cow, cattle, plane = texts.embed(
        ["a cow in a field", "cattle standing on a meadow", "an airplane in the sky"]
    )
    assert np.linalg.norm(cow) == pytest.approx(1, abs=1e-5)
    assert cow @ cattle > 0.5 > cow @ plane
    assert "Loading weights" not in capfd.readouterr().err  # no bar among the game's lines


def test_a_model_that_is_not_there_is_a_mistake_told_in_words(tmp_path: Path):
    with pytest.raises(UserError, match="embedding .*nowhere cannot be loaded"):
        texts.embed(["a cow"], str(tmp_path / "nowhere"))


def test_pixels_are_alike_from_zero_to_one():
    black, white = (Image.new("RGB", (20, 30), colour) for colour in ("black", "white"))
    assert alike(pixels(black), pixels(black)) == 1
    assert alike(pixels(black), pixels(white)) == 0
    assert alike(pixels(Image.new("RGB", (9, 9), (51, 51, 51))), pixels(black)) == pytest.approx(
        0.8
    )


def test_the_storybooks_attributes_are_those_of_its_grammar():
    signs = Attributes.read(ROOT / "models" / "storybook" / "attributes.yaml")
    for number in range(500):
        for caption in scene_of(12, number)[1]:
            content = grammar.read(caption)
            colours = content.colour, content.other_colour
            assert signs.said(caption) == {
                "kind": content.kind,
                "second": content.other,
                "colour": min(filter(None, colours), default=""),
                "place": content.place,
                "count": str(content.count),
                "act": content.act,
            }, caption


def test_no_attribute_is_said_by_any_caption_whatever():
    signs = Attributes.read(ROOT / "models" / "storybook" / "attributes.yaml")
    for caption in ("xyzzy", "in a green field", "some cows in a field", "cows on a beach"):
        assert signs.said(caption)["count"] == "", caption
    assert signs.said("a jumping white sheep in the snow")["count"] == "1"


def test_a_second_kind_is_another_one():
    signs = Attributes.read(ROOT / "models" / "storybook" / "attributes.yaml")
    for caption, second in {
        "a dog and its ball in a room": "",
        "a horse next to a building": "",
        "a dog and a dog in the grass": "",
        "a teddy bear next to a stuffed bear": "",
        "a bear beside a teddy bear": "bear",
        "a teddy bear and a dog": "teddy bear",
        "a horse, and far behind it three bicycles": "bicycle",
    }.items():
        assert signs.said(caption)["second"] == second, caption


def test_an_expression_that_is_none_is_named(tmp_path: Path):
    path = tmp_path / "attributes.yaml"
    path.write_text("kind: {cow: '(cow'}")
    with pytest.raises(UserError, match="attributes.yaml: kind.cow is no regular expression"):
        Attributes.read(path)


def test_a_chains_table_measures_every_round(seeing: Game):
    seeing.play("results/cow/drift.svg")
    rows = read_rows(seeing.path("results/cow/drift.tsv"))
    assert [row["round"] for row in rows] == [1, 2, 3]
    captions = [read_text(seeing.path(f"results/cow/round{n}.txt")) for n in (1, 2, 3)]
    assert [row["caption"] for row in rows] == captions
    base = open_picture(seeing.path("input/cow.png"))
    for row, caption in zip(rows, captions, strict=True):
        change = texts.change(caption, captions[0])
        assert (row["kept_first"], row["lost_first"], row["new_first"]) == (
            change.kept, change.lost, change.new,
        )  # fmt: skip
        picture = open_picture(seeing.path(f"results/cow/round{row['round']}.png"))
        assert row["pixels_base"] == pytest.approx(alike(pixels(picture), pixels(base)), abs=1e-6)
        assert -1 <= row["agreement"] <= 1 and -1 <= row["meaning_base"] <= 1
        assert row["size_kept"] in (0, 1)
    assert rows[0]["cosine_first"] == pytest.approx(1, abs=1e-5)
    assert rows[0]["cosine_previous"] is None and rows[1]["cosine_previous"] is not None
    first, second = texts.embed(captions[:2])
    assert rows[1]["cosine_first"] == pytest.approx(float(first @ second), abs=1e-5)
    drawn = seeing.path("results/cow/drift.svg").read_text()
    assert drawn.count('id="axes_') == 4  # three panels of figures, and one of attributes
    assert seeing.call("results/cow/drift.svg").nothing


def test_a_text_first_chain_names_its_gaps(seeing: Game):
    seeing.path("input", "wish.txt").write_text("a small red kite\n")
    seeing.play("results/wish/drift.svg")
    rows = read_rows(seeing.path("results/wish/drift.tsv"))
    assert rows[0]["caption"] == "a small red kite"
    assert all(row["pixels_base"] is None and row["meaning_base"] is None for row in rows)
    assert all(row["caption_base"] is None and row["agreement"] is not None for row in rows)
    assert rows[0]["animal"] is None and all(row["animal_kept"] is None for row in rows)


def test_without_image_encoder_and_attributes_the_rest_is_measured(game: Game):
    game.play("results/cow/drift.svg")
    rows = read_rows(game.path("results/cow/drift.tsv"))
    assert all(row["agreement"] is None and row["meaning_base"] is None for row in rows)
    assert all(0 < row["pixels_base"] < 1 for row in rows)
    assert not any(name.endswith("_kept") for name in rows[0])


def test_an_image_encoder_without_its_weights_is_named(seeing: Game):
    seeing.path("models/seeing/image_encoder.safetensors").unlink()
    call = seeing.call("results/cow/drift.tsv")
    assert call.code != 0
    assert "image_encoder.safetensors" in call.text
    assert "Traceback" not in call.text


def test_an_embedding_that_cannot_be_had_loses_nothing(seeing: Game):
    for before in (False, True):
        call = seeing.call("results/cow/drift.tsv", embedding="nowhere/nothing")
        assert call.code != 0
        assert "the embedding nowhere/nothing cannot be loaded" in call.text
        assert seeing.path("results/cow/round3.png").exists()
        assert seeing.path("results/cow/drift.tsv").exists() is before
        seeing.play("results/cow/drift.tsv")
    assert seeing.call("results/cow/drift.tsv").nothing


def test_a_hub_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    """Nor asked for file after file: a socket that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", place)
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", place)
        monkeypatch.setattr(texts, "PATIENCE", 1)
        with pytest.raises(UserError, match="nobody/nothing cannot be loaded"):
            texts.embed(["a cow"], "nobody/nothing")
        silent.settimeout(0)
        asked = 0
        with contextlib.suppress(OSError):
            while silent.accept():
                asked += 1
    assert 0 < asked < 4


def test_the_same_chain_gives_the_same_bytes(seeing: Game):
    seeing.play("results/cow/drift.svg")
    first = seeing.contents()
    shutil.rmtree(seeing.path("results"))
    seeing.play("results/cow/drift.svg")
    assert seeing.contents()["cow/drift.tsv"] == first["cow/drift.tsv"]
    assert seeing.contents()["cow/drift.svg"] == first["cow/drift.svg"]


def test_a_caption_that_nobody_can_paint_is_measured_as_a_gap(seeing: Game):
    from scripts.bundles import Bundle
    from scripts.meaning import Meaning

    meaning = Meaning.of(Bundle.read("seeing", seeing.path("models")))
    picture = Image.new("RGB", (64, 64))
    rows = measure(picture, [picture] * 2, ["a cow", "zebra"], meaning=meaning, attributes=None)
    assert rows[1]["agreement"] is None and rows[1]["caption_base"] is None
    assert rows[1]["agreement_first"] is not None
