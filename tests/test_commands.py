"""The commands that our documents show can be read by Snakemake as they stand."""

import re
import shlex
from pathlib import Path

import pytest
from conftest import ROOT
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
