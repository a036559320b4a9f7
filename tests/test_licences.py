"""docs/licences.md names every package that is installed on Linux."""

import re

from conftest import ROOT

ELSEWHERE = re.compile(r"sys_platform == '(darwin|win32|emscripten)'|== 'pypy'")


def plain(name: str) -> str:
    """As PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_has_its_licence_told():
    page = (ROOT / "docs" / "licences.md").read_text()
    rows = re.findall(r"^\|[^|]+\|([^|]+)\|$", page.split("## Weights")[0], re.MULTILINE)
    told = {plain(name.strip()) for row in rows for name in row.split(",")}
    locked = re.findall(
        r"^([A-Za-z0-9_.-]+)==(.*)$", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE
    )
    installed = {plain(name) for name, rest in locked if not ELSEWHERE.search(rest)}
    assert len(installed) > 100
    assert sorted(installed - told) == []
