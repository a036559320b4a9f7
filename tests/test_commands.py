"""The commands that our documents show can be read by Snakemake as they stand, and planned."""

import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import calls
import pytest
from conftest import ROOT, Game, make_picture
from snakemake.cli import parse_args, parse_config

DOCUMENTS = [ROOT / "README.md", ROOT / "config.yaml", *ROOT.glob("docs/*.md")]
DOCUMENTS += ROOT.glob("models/*/README.md")
COMMAND = re.compile(r"^[ #]*(snakemake --?[a-z].*)$|`(snakemake [^`]*)`", re.MULTILINE)


def commands(document: Path) -> list[str]:
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    found = [" ".join((a or b).split()) for a, b in COMMAND.findall(text)]
    # That plugin is for clusters without SLURM, and not among the requirements.
    return [command for command in found if "cluster-generic" not in command]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_documented_is_a_command(document: Path):
    """Nothing that is a target is swallowed by --config, no option is unknown."""
    for command in commands(document):
        _, arguments = parse_args(shlex.split(command, comments=True)[1:])
        assert parse_config(arguments.config) is not None, command


def test_commands_are_found():
    assert sum(len(commands(document)) for document in DOCUMENTS) > 20


# What plans nothing, needs a cluster or a game that was played, or is a pattern.
UNPLANNED = ("--list", "--unlock", "--report", "profiles/slurm", "…", "--directory", "fetched.json")
ASKS = "snakemake play"  # which needs a picture or a text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all bundles and the base pictures that documents speak of."""
    folder = tmp_path_factory.mktemp("documented")
    make_picture(folder / "input" / "cow.png")
    make_picture(folder / "dog.jpg")
    shutil.copy(folder / "dog.jpg", folder / "input" / "dog.jpg")
    (folder / "models").mkdir()
    for bundle in (ROOT / "models").iterdir():
        os.symlink(bundle, folder / "models" / bundle.name)
    shutil.copytree(ROOT / "models" / "storybook", folder / "models" / "mine")
    os.symlink(ROOT / "profiles", folder / "profiles")
    return folder


def planned() -> list[str]:
    found = [command.partition(" # ")[0] for path in DOCUMENTS for command in commands(path)]
    plans = [
        command
        for command in found
        if command != ASKS and not any(word in command for word in UNPLANNED)
    ]
    return list(dict.fromkeys(plans))


@pytest.mark.parametrize("command", planned())
def test_what_is_documented_can_be_planned(command: str, folder: Path):
    given = [*shlex.split(command)[1:], *("--dry-run", "--quiet", "rules")]
    given = ["-s", str(ROOT / "Snakefile"), *given]
    code, said = calls.snakemake(given, folder, {**os.environ, "HOME": str(folder)}, 300)
    assert code == 0, said


@pytest.mark.parametrize(
    ("given", "swallowed"),
    [
        (["--config", "rounds=1", "all"], "all"),
        (["--config", "rounds=1", "seed", "--dry-run"], "seed"),
        (["--dry-run", "-C", "rounds=1", "all", "verify"], "all verify"),
    ],
)
def test_a_target_behind_config_is_told_in_a_line(
    given: list[str], swallowed: str, new_game: Callable[[], Game]
):
    call = new_game().call(*given)
    assert call.code != 0 and "Traceback" not in call.text
    assert f"Error: {swallowed}: this stands behind --config" in call.text
    assert "Put targets before --config, or --" in call.text


def test_a_setting_written_with_a_dot_is_told_how_to_be_written(new_game: Callable[[], Game]):
    call = new_game().call("all", "--dry-run", "--config", "rounds=1", "captioner.beam=2")
    assert call.code != 0 and "Traceback" not in call.text
    assert "captioner.beam=…" in call.text and "captioner='{beam: …}'" in call.text


@pytest.mark.parametrize(
    "given", [["--config", "rounds=1", "--", "all"], ["all", "-C", "rounds=1"]]
)
def test_a_target_elsewhere_is_a_target(given: list[str], new_game: Callable[[], Game]):
    assert new_game().call("--dry-run", *given).code == 0
