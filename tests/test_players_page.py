"""docs/players.md: what it tells to add is added to a copy of the project, and really plays."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

PAGE = (ROOT / "docs" / "players.md").read_text()


def block(after: str, language: str) -> str:
    """The first block of code after these words."""
    return re.search(rf"```{language}\n(.*?)```", PAGE[PAGE.index(after) :], re.DOTALL)[1]


def test_the_player_of_the_page_plays(tmp_path: Path) -> None:
    for name in ("rules", "scripts", "tests", "profiles", "Snakefile", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    module = block("into `scripts/players/classifier.py`", "python")
    (tmp_path / "scripts/players/classifier.py").write_text(module)
    schema = block("in `rules/schemas/players/classifier.schema.yaml`", "yaml")
    (tmp_path / "rules/schemas/players/classifier.schema.yaml").write_text(schema)
    kinds = tmp_path / "scripts/players/__init__.py"
    entry = block("add its name to `KINDS`", "python")
    last = '        "transformers": "scripts.players.transformers_captioner:Transformers",\n'
    assert last in kinds.read_text()
    kinds.write_text(kinds.read_text().replace(last, last + entry))
    imports = re.findall(r"`(from [\w.]+ import \w+)`", PAGE[PAGE.index("It needs `from ") :])
    test = block("instance `tests/test_classifier.py`", "python")
    (tmp_path / "tests/test_classifier.py").write_text("\n".join([*imports, "", "", test]))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/test_classifier.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    added = [line for text in (module, schema, entry, test) for line in text.splitlines() if line]
    assert len(added) <= 65  # the page promises little work
