"""The archive: a Workflow RO-Crate that tools can read, with everything and its description."""

import json
import os
import zipfile

import pytest
from conftest import Game
from rocrate.rocrate import ROCrate

from scripts import archive
from scripts.errors import UserError


def test_the_archive_is_a_workflow_ro_crate(game: Game):
    game.play("results/cow@7/round1.png")
    game.play("archive")
    packed = zipfile.ZipFile(game.path("results", "archive.zip"))
    names = set(packed.namelist())
    for name in (
        *("results/cow/round2.png", "results/cow/round2.txt", "results/cow/round2.json"),
        *("results/cow/strip.png", "results/cow@7/round1.png", "results/index.html"),
        *("input/cow.png", "config.yaml", "models/tiny/bundle.yaml", "Snakefile", "LICENSE"),
        *("rules/telephone.smk", "scripts/stages/generate.py", "requirements.txt"),
    ):
        assert name in names, name
    assert not [name for name in names if name.endswith((".safetensors", ".pyc", "archive.zip"))]
    assert packed.read("results/cow/round2.png") == game.path("results/cow/round2.png").read_bytes()

    about = json.loads(packed.read("ro-crate-metadata.json"))
    entities = {entity["@id"]: entity for entity in about["@graph"]}
    assert about["@context"] == "https://w3id.org/ro/crate/1.1/context"
    descriptor = entities["ro-crate-metadata.json"]
    assert "https://w3id.org/ro/crate/1.1" in str(descriptor["conformsTo"])
    root = entities["./"]
    assert root["@type"] == "Dataset" and root["license"] and root["datePublished"] and root["name"]
    assert "workflow-ro-crate/1.0" in str(root["conformsTo"])
    main = entities[root["mainEntity"]["@id"]]
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= set(main["@type"])
    language = entities[main["programmingLanguage"]["@id"]]
    assert language["@type"] == "ComputerLanguage" and language["name"] == "Snakemake"
    assert "seed 7" in entities["results/cow%407/"]["description"]
    # Every file is described, and everything described is there.
    parts = {part["@id"] for part in root["hasPart"]}
    described = {name for name in parts if entities[name]["@type"] == "File"} | {main["@id"]}
    assert {name.replace("%40", "@").replace("%2B", "+") for name in described} == names - {
        "ro-crate-metadata.json"
    }
    # A reader of such archives can open it.
    unpacked = game.path("unpacked")
    packed.extractall(unpacked)
    crate = ROCrate(unpacked)
    assert crate.mainEntity.id == "Snakefile"
    assert os.path.exists(unpacked / crate.mainEntity.id)


def test_the_same_results_give_the_same_archive(game: Game, monkeypatch: pytest.MonkeyPatch):
    game.play("results/cow/round1.png")
    monkeypatch.chdir(game.folder)
    archive.write("results", archive.__file__.rpartition("/scripts/")[0], "one.zip")
    archive.write("results", archive.__file__.rpartition("/scripts/")[0], "two.zip")
    one, two = game.path("one.zip").read_bytes(), game.path("two.zip").read_bytes()
    assert one == two


def test_where_nothing_was_played_there_is_nothing_to_archive(game: Game):
    with pytest.raises(UserError, match="nothing has been played"):
        archive.write(game.path("results"), game.folder, game.path("archive.zip"))
    assert not game.path("archive.zip").exists()
