"""What takes long to load: as much of it is kept as memory holds."""

import os
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import memory, once


class Network:
    """Something large."""


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Network]:
    """Loads networks by name, as on a machine with 1,000 bytes of memory."""
    sizes: dict[int, int] = {}

    def free(device: str) -> int:
        return 1000 - sum(sizes.values())

    def made(size: int) -> Network:
        network = Network()
        sizes[id(network)] = size
        weakref.finalize(network, sizes.pop, id(network))
        return network

    monkeypatch.setattr(once, "_held", {})
    monkeypatch.setattr(once, "available", free)
    return lambda name, size, **how: once.once(name, lambda: made(size), size, **how)


def test_as_many_are_kept_as_memory_holds(load):
    names = ["first", "second", "third"]
    assert len({id(load(name, 200)) for name in names * 3}) == 3


def test_what_was_used_longest_ago_is_let_go(load):
    first, second = weakref.ref(load("first", 400)), weakref.ref(load("second", 300))
    load("first", 400)
    load("third", 400)  # needs 600 with what it computes in
    assert second() is None and load("first", 400) is first()
    load("fourth", 300)  # 450, and 200 are left
    assert set(once._held) == {"first", "fourth"}


def test_what_is_small_or_elsewhere_stays(load):
    small = once.once("small", Network)
    card = load("on a card", 300, device="cuda")
    load("first", 500)
    load("second", 600)
    assert set(once._held) == {"small", "on a card", "second"}
    assert once.once("small", Network) is small
    assert load("on a card", 300, device="cuda") is card


def test_who_plays_keeps_its_network(load):
    playing = load("first", 600)
    load("second", 600)
    assert isinstance(playing, Network) and load("first", 600) is not playing


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert 0 < memory.available("cpu") <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name, text in {
        "memory.max": "3000\n",
        "memory.current": "2900\n",
        "memory.stat": "anon 900\ninactive_file 1000\nactive_file 500\n",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_CGROUP", tmp_path / "own")
    for own in ("0::/\n", "0::/job/step\n", "1:cpu:/a\n0::/../../x\n"):
        (tmp_path / "own").write_text(own)
        assert memory.available("cpu") == 1600
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available("cpu") > 1600
