"""What takes long to load is loaded once in a process, and shared by its threads."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from scripts.memory import given_back

T = TypeVar("T")

_held: dict[Hashable, Any] = {}
_loading = threading.RLock()


def once(key: Hashable, load: Callable[[], T]) -> T:
    """What `load` gave at the first call with this key; other threads wait for it.

    One thing is loaded at a time, since loading takes the most memory.
    """
    with _loading:
        if key not in _held:
            with given_back():
                _held[key] = load()
        return _held[key]
