"""What is freed goes back to the system, where large blocks come and go."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # M_… of mallopt(3)
SMALL = 1 << 20  # bytes: larger blocks are given back as soon as they are freed
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
