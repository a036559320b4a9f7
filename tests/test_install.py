"""What is installed for a game, and what only for a cluster, for models of today or for tests."""

import re
from pathlib import Path

import pytest
from conftest import ROOT

FILES = sorted(ROOT.glob("requirements*.txt"))
PIN = re.compile(r"([\w.-]+)==([\w.]+)")


def pins(file: Path) -> dict[str, str]:
    """The packages that a requirements file pins itself, with their versions."""
    return dict(PIN.match(line).groups() for line in lines(file) if not line.startswith("-"))


def lines(file: Path) -> list[str]:
    found = file.read_text(encoding="utf-8").splitlines()
    return [line for line in found if line and not line.startswith("#")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_lock_file_has_every_pin(file: Path):
    locked = dict(PIN.match(line).groups() for line in lines(ROOT / "requirements-dev.lock")
                  if PIN.match(line))  # fmt: skip
    assert pins(file).items() <= locked.items()


def test_a_game_installs_no_plugin_that_asks_a_cluster():
    """Snakemake loads each installed plugin in each call; SLURM's waits for the controller."""
    lock = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    [entry] = re.findall(r"^snakemake-executor-plugin-slurm==(?:.*\n )*.*", lock, re.MULTILINE)
    needed_by = entry.partition("# via")[2].split()
    assert needed_by == ["-r", "requirements-slurm.txt"]
    assert not [name for name in pins(ROOT / "requirements.txt") if "executor-plugin" in name]


def test_what_tests_run_with_is_all_that_can_be_installed():
    included = {line.split()[1] for line in lines(ROOT / "requirements-dev.txt") if line[0] == "-"}
    assert included == {file.name for file in FILES} - {"requirements-dev.txt"}
