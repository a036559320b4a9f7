"""What code a result depends on: every module that the module which makes it can see.

Found by reading import statements, those inside functions included; nothing is imported for it.
What counts is parsed code: comments, blank lines, docstrings and what only type checkers import
change nothing.
"""

import ast
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from scripts.untrusted.texts import parse_json

ROOT = Path(__file__).parent.parent
PACKAGE = "scripts"
KEPT = Path(".snakemake/code.json")  # in the folder that is played in: the one sure to be writable

# Modules that change no result, and why. What only they see does not count, either.
EXEMPT = {
    "scripts.errors": "it is what messages are made of",
    "scripts.memory": "it says where freed memory goes",
    "scripts.once": "it says when something is loaded",
    "scripts.settings": "it checks settings, whose values are parameters of the rules",
    "scripts.hub": "it fetches files and checks them; their digests count",
    "scripts.chains": "it reads the names of chains; image and seed are parameters of the rules",
    "scripts.training.recipe": "it checks recipes; what they say is a parameter of the rules",
    "scripts.training.annotations": "it reads captions, whose digest is a parameter of the rules",
    "scripts.training.pictures": "it takes the digest of pictures, a parameter of the rules",
    "scripts.training.curves": "it draws losses",
    "scripts.training.samples": "it shows what was learnt so far",
}
# Modules that import what they are asked for, inside functions. Those imports are not followed: a
# rule names what it asks for.
ON_DEMAND = {
    "scripts.judge": "it loads the judge that the config names, perhaps the storybook's",
    "scripts.networks": "it builds any network of ours",
    "scripts.players": "it finds a player of any kind",
}


@cache
def code_of(*entries: str) -> str:
    """A digest of the code of these modules and of all that they can see.

    Raises ValueError if there is no such module.
    """
    modules = _modules()
    seen = {name: modules[name]["digest"] for name in closure(*entries)}
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:16]


def closure(*entries: str) -> set[str]:
    """The names of these modules and of all that they can see, without the exempt ones.

    Raises ValueError if there is no such module.
    """
    modules = _modules()
    if unknown := [name for name in entries if name not in modules]:
        raise ValueError(f"there is no module {', '.join(unknown)}")
    seen: set[str] = set()
    ahead = list(entries)
    while ahead:
        name = ahead.pop()
        if name in seen or name in EXEMPT:
            continue
        seen.add(name)
        ahead += modules[name]["imports"]
        if name not in ON_DEMAND:
            ahead += modules[name]["imports_inside"]
    return seen


# --- all modules, as they were read before


@lru_cache
def _modules() -> dict[str, dict[str, Any]]:
    """Every module of the package: its digest, and the modules that it imports.

    Parsing all takes some tenths of a second; what was found is kept for the next call.
    """
    paths = {_name(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}
    known = _load(KEPT)
    found = {}
    for name, path in paths.items():
        status = path.stat()
        stamp = [status.st_mtime_ns, status.st_size]
        kept = known.get(name)
        found[name] = kept if kept and kept["stamp"] == stamp else _read(path) | {"stamp": stamp}
    if found != known and KEPT.parent.is_dir():
        _store(KEPT, found)
    for module in found.values():
        for key in ("imports", "imports_inside"):
            module[key] = [name for name in module[key] if name in found]
    return found


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _load(cache: Path) -> dict[str, dict[str, Any]]:
    """What was kept by this very module; a cache that cannot be read is an empty one."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = parse_json(cache.read_text(encoding="utf-8"))
        if kept["reader"] == _reader():
            return kept["modules"]
    return {}


def _store(cache: Path, modules: dict[str, dict[str, Any]]) -> None:
    """Keeps what was found, where that is possible; others may do so at the same time."""
    with suppress(OSError):
        handle, part = tempfile.mkstemp(dir=cache.parent, prefix=f".{cache.name}.")
        with open(handle, "w") as file:
            json.dump({"reader": _reader(), "modules": modules}, file)
        os.replace(part, cache)


@lru_cache
def _reader() -> str:
    """How modules are read: another version of this file, or of Python, may read them otherwise."""
    return hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()


# --- one module


def _read(path: Path) -> dict[str, Any]:
    """A module's digest; what it imports at its top, and what inside functions.

    Of `from a import b`, both a and a.b: one of them may be no module.
    """
    tree = ast.parse(path.read_bytes())
    name = _name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: dict[bool, set[str]] = {False: _with_packages(package), True: set()}
    for node, inside in _statements(tree):
        for target in _targets(node, package):
            found[inside] |= _with_packages(target)
    return {
        "digest": hashlib.sha256(repr(_plain(tree)).encode()).hexdigest(),
        "imports": sorted(found[False] - {name}),
        "imports_inside": sorted(found[True] - found[False] - {name}),
    }


def _with_packages(name: str) -> set[str]:
    """A module and the packages that it lies in, which are run when it is imported."""
    parts = name.split(".")
    return {".".join(parts[:n]) for n in range(1, len(parts) + 1)}


def _statements(node: ast.AST, inside: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node that counts, and whether it stands inside a function."""
    for child in ast.iter_child_nodes(node):
        if _counts(child):
            yield child, inside
            deeper = inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _statements(child, deeper)


def _targets(node: ast.AST, package: str) -> Iterator[str]:
    """What a statement imports, if it imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
        source = ".".join([*start, *([node.module] if node.module else [])])
        yield from (f"{source}.{alias.name}" for alias in node.names)


def _counts(node: ast.AST) -> bool:
    """False of docstrings, and of what only type checkers see."""
    if isinstance(node, ast.Expr):
        return not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str))
    if isinstance(node, ast.If) and not node.orelse:
        return not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING")
    return True


def _plain(value: Any) -> Any:
    """Parsed code as tuples: the names of nodes and their fields, but for empty ones.

    (As `ast.dump`, which writes the same code in other ways from release to release.)
    """
    if isinstance(value, list):
        return tuple(_plain(item) for item in value if _counts(item))
    if isinstance(value, ast.AST):
        fields = (
            (name, _plain(field))
            for name, field in ast.iter_fields(value)
            if field not in (None, []) and name not in ("ctx", "kind")
        )
        return type(value).__name__, *fields
    return value
