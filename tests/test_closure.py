"""What code a result depends on: found by reading imports, compared as parsed code."""

import dis
import re
import shutil
from collections.abc import Iterator
from modulefinder import ModuleFinder
from pathlib import Path

import pytest
from conftest import ROOT, Game
from snakemake.api import SnakemakeApi
from snakemake.rules import Rule
from snakemake.settings.enums import Quietness
from snakemake.settings.types import OutputSettings, ResourceSettings

from scripts import closure

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "scripts").rglob("*.py")
)
ENTRIES = re.compile(r'"(scripts\.[a-z_.]+)"')  # as rules name them


def entries() -> list[str]:
    """Every module that a rule names as the entry of what it depends on."""
    files = [ROOT / "Snakefile", *(ROOT / "rules").rglob("*.smk")]
    return sorted({name for file in files for name in ENTRIES.findall(file.read_text())})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of scripts/, to be edited and put right again."""
    root = tmp_path_factory.mktemp("whole")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "scripts", root / "scripts", ignore=ignored)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(closure, "ROOT", root)
        patched.setattr(closure, "KEPT", root / "kept.json")
        forget()
        yield root
    forget()


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Three modules, to which a test adds its own."""
    for name in ("__init__", "words", "attngan/__init__", "attngan/attention"):
        path = tmp_path / "scripts" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    monkeypatch.setattr(closure, "ROOT", tmp_path)
    monkeypatch.setattr(closure, "KEPT", tmp_path / "kept.json")
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    """As another call of Snakemake would."""
    closure._modules.cache_clear()
    closure.code_of.cache_clear()


def path_of(root: Path, module: str) -> Path:
    path = root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_it_sees_what_python_would_import(whole: Path, monkeypatch: pytest.MonkeyPatch):
    """Compared with the standard library's finder, which reads compiled code."""
    monkeypatch.setattr(closure, "EXEMPT", {})
    monkeypatch.setattr(closure, "ON_DEMAND", {})
    copy = whole / "without type checkers"
    shutil.copytree(whole / "scripts", copy / "scripts")
    for path in (copy / "scripts").rglob("*.py"):
        path.write_text(path.read_text().replace("if TYPE_CHECKING:", "if False:"))
    for entry in entries():
        finder = ModuleFinder(path=[str(copy)])
        finder.run_script(str(path_of(copy, entry)))
        imported = {name for name in finder.modules if name.split(".")[0] == "scripts"}
        packages = {entry.rsplit(".", n)[0] for n in range(entry.count(".") + 1)}
        assert closure.closure(entry) == imported | packages | {entry}


def test_stages_see_what_they_use_and_no_more():
    """A package that imports all of its modules would make pictures stale with a pickle reader."""
    for name, without in {
        "caption": ("pickles", "checkpoints"),
        "generate": ("pickles", "checkpoints", "pictures"),
    }.items():
        seen = closure.closure(*ENTRY_SETS[name])
        assert not seen & {f"scripts.untrusted.{module}" for module in without}, name


def test_rules_name_modules_that_there_are():
    assert len(entries()) > 10
    assert set(entries()) <= set(MODULES)


def test_nothing_is_imported_by_a_computed_name():
    """Which no reading of import statements would find."""
    for path in (ROOT / "scripts").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if module.removesuffix(".__init__") not in (*closure.ON_DEMAND, "scripts.closure"):
            assert not re.search(r"import_module|__import__|exec\(", path.read_text()), path


def test_exempt_modules_are_there():
    assert set(closure.EXEMPT) | set(closure.ON_DEMAND) <= set(MODULES)


ENTRY_SETS = {
    "caption": ("scripts.stages.caption", "scripts.players.cnn_lstm", "scripts.captioner.optimize"),
    "generate": ("scripts.stages.generate", "scripts.players.attngan", "scripts.attngan.optimize"),
    "strip": ("scripts.figures.strip",),
    "drift": ("scripts.drift.chain",),
    "curves": ("scripts.study.curves",),
}


@pytest.mark.parametrize("module", MODULES)
def test_an_edit_counts_where_the_module_is_seen_and_nowhere_else(module: str, whole: Path):
    before = digests()
    sees = {name for name, modules in ENTRY_SETS.items() if module in closure.closure(*modules)}
    path = path_of(whole, module)
    text = path.read_text()
    try:
        path.write_text(f"{text}\n\n# a comment\n")
        assert digests() == before
        path.write_text(f"{text}\nADDED = 1\n")
        after = digests()
        assert {name for name in after if after[name] != before[name]} == sees
    finally:
        path.write_text(text)


def digests() -> dict[str, str]:
    forget()
    return {name: closure.code_of(*modules) for name, modules in ENTRY_SETS.items()}


SAME = {
    "a comment": ("x = 1\n", "# why\nx = 1  # because\n"),
    "blank lines": ("x = 1\ny = 2\n", "x = 1\n\n\n\ny = 2\n"),
    "a docstring": ("def f():\n    return 1\n", 'def f():\n    """One."""\n    return 1\n'),
    "another docstring": ('"""A."""\nx = 1\n', '"""B."""\nx = 1\n'),
    "layout": ("x = f(1, 2)\n", "x = f(\n    1,\n    2,\n)\n"),
    "quotes": ("x = 'a'\n", 'x = "a"\n'),
    "what type checkers import": (
        "from typing import TYPE_CHECKING\n",
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from scripts import words\n",
    ),
}
OTHER = {
    "a number": ("x = 1\n", "x = 2\n"),
    "its kind": ("x = 1\n", "x = 1.0\n"),
    "a sign": ("x = a + b\n", "x = a - b\n"),
    "the order": ("x = 1\ny = 2\n", "y = 2\nx = 1\n"),
    "a name": ("def f(a): ...\n", "def f(b): ...\n"),
    "a default": ("def f(a=1): ...\n", "def f(a=2): ...\n"),
    "where a statement stands": (
        "if a:\n    b()\n    c()\n",
        "if a:\n    b()\nc()\n",
    ),
    "a text that is used": ('x = "a"\n', 'x = "b"\n'),
    "an import": ("import json\n", "import os\n"),
    "a decorator": ("def f(): ...\n", "@cache\ndef f(): ...\n"),
    "none instead of nothing": ("def f():\n    return\n", "def f():\n    return None\n"),
}


def digest_of(code: str, path: Path) -> str:
    path.write_text(code)
    forget()
    return closure.code_of("scripts.example")


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_what_changes_no_behaviour_changes_nothing(one: str, other: str, small: Path):
    path = small / "scripts" / "example.py"
    assert digest_of(one, path) == digest_of(other, path)


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_what_changes_behaviour_counts(one: str, other: str, small: Path):
    path = small / "scripts" / "example.py"
    assert digest_of(one, path) != digest_of(other, path)


IMPORTS = {
    "import scripts.words": {"scripts", "scripts.words"},
    "import scripts.words as w": {"scripts", "scripts.words"},
    "from scripts import words": {"scripts", "scripts.words"},
    "from scripts.words import tidy": {"scripts", "scripts.words"},
    "def f():\n    from scripts import words": {"scripts", "scripts.words"},
    "class A:\n    def f(self):\n        import scripts.words": {"scripts", "scripts.words"},
    "try:\n    from scripts import words\nexcept ImportError:\n    pass": {
        "scripts",
        "scripts.words",
    },
    "from . import words": {"scripts", "scripts.words"},
    "from .words import tidy": {"scripts", "scripts.words"},
    "from scripts.attngan import attention": {
        "scripts",
        "scripts.attngan",
        "scripts.attngan.attention",
    },
    "import json": {"scripts"},
    "x = 1": {"scripts"},
}


@pytest.mark.parametrize(("code", "sees"), IMPORTS.items(), ids=IMPORTS)
def test_every_way_to_import(code: str, sees: set[str], small: Path):
    (small / "scripts" / "example.py").write_text(f"{code}\n")
    assert closure.closure("scripts.example") == {"scripts.example"} | sees


def test_a_module_that_is_not_there_is_named(small: Path):
    with pytest.raises(ValueError, match="scripts.nothing"):
        closure.code_of("scripts.nothing")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"modules": {}}', b"\xff" * 100])
def test_a_damaged_cache_is_made_anew(content: bytes, small: Path):
    before = closure.code_of("scripts.words")
    closure.KEPT.write_bytes(content)
    forget()
    assert closure.code_of("scripts.words") == before
    assert closure.KEPT.stat().st_size > len(content)


def test_what_was_read_is_not_read_again(small: Path, monkeypatch: pytest.MonkeyPatch):
    before = closure.code_of("scripts.words")
    forget()
    with monkeypatch.context() as patched:
        patched.setattr(closure, "_read", None)
        assert closure.code_of("scripts.words") == before
    (small / "scripts" / "words.py").write_text("x = 1\n")
    forget()
    assert closure.code_of("scripts.words") != before


# Rules whose results stay when code changes.
KEPT = {
    "fetch": "a download is what its digest says",
    "fetch_model": "a model's files are what their digests say",
    "check": "it goes with convert",
    "convert": "the published files may be gone by then, and with them the way to convert anew",
    "convert_with_words": "as convert",
}


def test_every_rule_tracks_the_code_that_it_runs(game: Game, monkeypatch: pytest.MonkeyPatch):
    """As rules are written: `code=code_of(…)` names what the run block calls."""
    monkeypatch.chdir(game.folder)
    monkeypatch.setattr(closure, "code_of", lambda *entries: " ".join(entries))
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(ResourceSettings(cores=1), snakefile=ROOT / "Snakefile")._workflow
        rules = list(workflow.rules)
    made = [rule for rule in rules if any(str(out).startswith(PLAYED) for out in rule.output)]
    assert len(made) > 15
    for rule in made:
        if rule.name in KEPT:
            continue
        code = dict(rule.params.items()).get("code")
        assert code, f"the rule {rule.name} tracks no code"
        if isinstance(code, str):
            calls = called(rule, workflow.globals) - set(closure.EXEMPT)
            assert calls and calls <= closure.closure(*code.split()), rule.name


PLAYED = ("results/", "models/", "training/{bundle}/")


def called(rule: Rule, names: dict[str, object]) -> set[str]:
    """The modules of scripts/ whose functions a run block calls."""
    imported = re.findall(r"from (scripts[a-z_.]*) import (\w+)", rule.run_func_src)
    found = {module for package, name in imported for module in (package, f"{package}.{name}")}
    code = dis.get_instructions(rule.run_func)  # input.words is not the module of that name
    used = {step.argval for step in code if step.opname == "LOAD_GLOBAL"}
    for thing in map(names.get, used):
        found.add(getattr(thing, "__module__", None) or getattr(thing, "__name__", ""))
    return found & set(MODULES)
