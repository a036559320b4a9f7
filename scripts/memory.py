"""How much memory there is; and what is freed goes back to the system, where blocks are large."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # M_… of mallopt(3)
SMALL = 1 << 20  # bytes: larger blocks are given back as soon as they are freed
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
USUAL = 32 << 20  # what glibc comes to by itself; it keeps up to twice as much at its end


@contextmanager
def given_back() -> Iterator[None]:
    """Has glibc give blocks of more than SMALL bytes back when they are freed.

    By itself it learns to keep them, which is right while networks compute (a picture of the
    official size takes twice the time otherwise), but not while weights are copied, folded and
    packed. With another C library this changes nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(MMAP_THRESHOLD, SMALL)
    try:
        yield
    finally:
        if mallopt:
            mallopt(MMAP_THRESHOLD, USUAL)
            mallopt(TRIM_THRESHOLD, 2 * USUAL)


def available(device: str) -> float:
    """How many bytes a device has for more: the machine, or what its cgroups leave; or a card."""
    if device.startswith("cuda"):
        import torch

        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    import psutil

    return min([psutil.virtual_memory().available, *_left_by_cgroups()])


def _left_by_cgroups() -> Iterator[float]:
    """What each limit above this process leaves: a container's, or that of a cluster's job."""
    with suppress(OSError, ValueError, IndexError):
        own = OWN_CGROUP.read_text().split("0::/", 1)[1].splitlines()
        group = CGROUPS / (own[0] if own else "")
        for folder in (group, *group.parents):
            if (folder / "memory.max").exists():  # a container sees its own as the topmost
                yield from _left_by(folder)


def _left_by(cgroup: Path) -> Iterator[float]:
    """What the limit of one cgroup (version 2) leaves, if it has one.

    Files that are kept in memory until it is needed are counted as used there.
    """
    limit = (cgroup / "memory.max").read_text().strip()
    if limit != "max":
        rows = (line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        files = {name: int(size) for name, size in rows}
        used = int((cgroup / "memory.current").read_text())
        yield int(limit) - used + files.get("inactive_file", 0) + files.get("active_file", 0)
