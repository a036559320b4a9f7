"""Draws the rooms of scripts/ from their imports, into docs/design.md: python tests/rooms.py

A room is a folder of scripts/, or a group of the modules beside them. An arrow says that a module
of one room imports a module of the other, wherever the import stands; but what a module loads only
on demand (scripts/closure.py lists those modules, with reasons) is no arrow. Arrows that follow
from others are left out.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from scripts.closure import ON_DEMAND  # noqa: E402

BEGIN, END = "<!-- rooms: made by tests/rooms.py -->\n", "<!-- /rooms -->"
# Modules beside the folders, by what they are for.
GROUPS = {
    "basics": ("errors", "files", "once", "memory", "signals"),
    "settings and code": ("settings", "closure", "folder_locks", "targets", "tables"),
    "untrusted": ("words",),
    "chains": ("chains", "channel", "noise"),
    "networks": (
        "networks", "backbones", "packed", "winograd", "efficientnet", "devices",
        "batches", "sampling",
    ),
    "bundles": ("bundles", "records", "bring"),
    "downloads": ("downloads", "hub"),
    "meaning": ("meaning", "judge", "plots"),
    "what a call says": ("terminal", "report", "archive", "verify"),
}  # fmt: skip
FOLDERS = {  # what the folders are for
    "attngan": "networks: AttnGAN",
    "captioner": "networks: CNN-LSTM",
    "untrusted": "untrusted: strangers' files, words",
    "official": "official: published weights",
    "players": "players: captioners and painters",
    "stages": "stages: caption, generate",
    "figures": "figures",
    "page": "page",
    "drift": "drift",
    "study": "study",
    "training": "training",
    "storybook": "storybook",
}


def room_of(module: str) -> str | None:
    """The room of a module, "scripts.a.b" or "scripts.a"; None of the package itself."""
    parts = module.split(".")
    if len(parts) < 2:
        return None
    if parts[1] in FOLDERS:
        return parts[1]
    found = [group for group, names in GROUPS.items() if parts[1] in names]
    if not found:
        raise KeyError(f"scripts/{parts[1]}.py is in no room: add it to GROUPS in tests/rooms.py")
    return found[0]


def nodes(tree: ast.AST, *, functions: bool = True) -> Iterator[ast.AST]:
    """All statements and expressions but what only type checkers see, in functions, too, or not."""
    for child in ast.iter_child_nodes(tree):
        skipped = isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING"
        if not skipped and (functions or not isinstance(child, ast.FunctionDef)):
            yield child
            yield from nodes(child, functions=functions)


def imports() -> dict[str, set[str]]:
    """The modules of scripts/ that each of them imports."""
    paths = sorted((ROOT / "scripts").rglob("*.py"))
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        seen: set[str] = set()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in nodes(tree, functions=name not in ON_DEMAND):
            if isinstance(node, ast.Import):
                seen |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                seen |= {one if one in names else str(node.module) for one in inner}
        found[name] = seen & names.keys()
    return found


def arrows() -> set[tuple[str, str]]:
    """Pairs of rooms: the first imports from the second."""
    return {
        (one, other)
        for module, seen in imports().items()
        for target in seen
        if (one := room_of(module)) and (other := room_of(target)) and one != other
    }


def reduced(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges but for those that lead where a longer way leads, too."""

    def reaches(start: str, goal: str, without: tuple[str, str]) -> bool:
        ahead, seen = [start], {start}
        while ahead:
            here = ahead.pop()
            for one, other in edges:
                if one == here and (one, other) != without and other not in seen:
                    if other == goal:
                        return True
                    seen.add(other)
                    ahead.append(other)
        return False

    return {edge for edge in edges if not reaches(*edge, without=edge)}


def picture() -> str:
    """The rooms as a Mermaid graph, the same for the same imports."""
    edges = reduced(arrows())
    rooms = sorted({room for edge in edges for room in edge})
    ids = {room: re.sub(r"\W+", "_", room) for room in rooms}
    lines = [f'  {ids[room]}["{FOLDERS.get(room, room)}"]' for room in rooms]
    lines += [f"  {ids[one]} --> {ids[other]}" for one, other in sorted(edges)]
    return BEGIN + "\n".join(["```mermaid", "flowchart TD", *lines, "```"]) + "\n" + END


def main() -> None:
    path = ROOT / "docs/design.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(before + picture() + after, encoding="utf-8")


if __name__ == "__main__":
    main()
