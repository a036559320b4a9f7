"""The notebook runs from its first cell to its last, with the storybook."""

import os
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient

NOTEBOOK = ROOT / "docs" / "telephone.ipynb"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the notebook needs."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("rules", "scripts", "profiles", "models/storybook"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    (tmp_path / "input").mkdir()
    (tmp_path / "docs").mkdir()
    for name in ("Snakefile", "config.yaml", "input/cow.png", "docs/telephone.ipynb"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_it_plays_and_shows_strip_and_drift(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TELEPHONE_OFFLINE", "1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    notebook = nbformat.read(project / "docs" / "telephone.ipynb", 4)
    place = {"metadata": {"path": str(project / "docs")}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    said = "".join(output.get("text", "") for output in outputs)
    assert {"image/png", "image/svg+xml"} <= kinds
    assert "cow, round 5: " in said and "Skipped: this needs" in said
    assert (project / "results" / "two-red-kites-over-a-beach" / "strip.png").exists()


def test_it_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, 4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs") and not cell.get("execution_count")
