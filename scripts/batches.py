"""On a graphics card, chains that wait for the same network are played together.

A batch always has its full size: what is missing is filled up with copies, since the arithmetic
depends on the shapes that are computed. So no result depends on who else happens to be waiting.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

Work = Callable[[list[Any]], Sequence[Any]]


@dataclass(eq=False)
class _Turn:
    """Something to be played, and what came of it."""

    item: Any
    result: Any = None
    error: BaseException | None = None
    done: bool = False


@dataclass(eq=False)
class _Queue:
    """What waits for one network."""

    waiting: deque[_Turn] = field(default_factory=deque)
    playing: threading.Lock = field(default_factory=threading.Lock)


_queues: dict[Hashable, _Queue] = {}
_making = threading.Lock()


def size(device: str, batch: int) -> int:
    """How many are played together; on a CPU that would gain nothing."""
    return 1 if device == "cpu" else batch


def play(network: Hashable, work: Work, items: Sequence[Any], batch: int) -> list[Any]:
    """What `work` makes of each item, in batches of exactly `batch`, shared with other threads.

    Whoever comes while the network is busy waits, and is played with all who wait then. `network`
    says what the work is done with; `work` must do the same for every thread that calls with it.
    Raises what `work` raises of an item alone: no item suffers from another one's fault.
    """
    if batch == 1:
        return [result for item in items for result in work([item])]
    with _making:
        queue = _queues.setdefault((network, batch), _Queue())
    turns = [_Turn(item) for item in items]
    queue.waiting.extend(turns)
    for turn in turns:
        with queue.playing:
            while not turn.done:
                together = [queue.waiting.popleft() for _ in range(min(batch, len(queue.waiting)))]
                _play(work, together, batch)
    for turn in turns:
        if turn.error:
            raise turn.error
    return [turn.result for turn in turns]


def _play(work: Work, turns: Sequence[_Turn], batch: int) -> None:
    items = [turn.item for turn in turns]
    try:
        results = work([*items, *items[:1] * (batch - len(items))])
    except BaseException as error:
        if len(turns) > 1:
            for turn in turns:
                _play(work, [turn], batch)
            return
        turns[0].error, turns[0].done = error, True
        return
    for turn, result in zip(turns, results, strict=False):
        turn.result, turn.done = result, True
