"""What takes long to load is loaded once in a process, and shared by its threads."""

import gc
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from scripts.memory import available, given_back

T = TypeVar("T")

# What is loaded needs its size, and half of it again while it computes.
ROOM = 1.5


@dataclass(frozen=True)
class _Held:
    value: Any
    size: int  # bytes; 0 of what is small
    device: str


_held: dict[Hashable, _Held] = {}  # what was used last comes last
_loading = threading.RLock()


def once(key: Hashable, load: Callable[[], T], size: int = 0, device: str = "cpu") -> T:
    """What `load` gave at the first call with this key; other threads wait for it.

    One thing is loaded at a time, since loading takes the most memory. Of things that have a size
    (in bytes) as many are kept as the memory of their device holds: those that were not used for
    the longest time are let go, and loaded again when they are asked for. Whoever plays with such a
    thing at that moment keeps it to the end.
    """
    with _loading:
        if key in _held:
            _held[key] = _held.pop(key)
        else:
            _make_room(ROOM * size, device)
            with given_back():
                _held[key] = _Held(load(), size, device)
        return _held[key].value


def _make_room(needed: float, device: str) -> None:
    """Lets go of large things until a device has so much memory available, or holds none."""
    for key in [key for key, held in _held.items() if held.size and held.device == device]:
        if available(device) >= needed:
            return
        with given_back():
            del _held[key]
            gc.collect()
