"""What a game that was killed left locked."""

import fcntl
from functools import lru_cache
from pathlib import Path

from snakemake.persistence import PersistenceBase


@lru_cache
def unlock_what_died_locked():
    """Takes away Snakemake's locks if whoever set them is dead, so that the plain command goes on.

    Each call holds a file open and locked, which the system lets go of when the process ends,
    however it ends. If none holds it, nobody is alive here.
    """
    try:
        alive = open(".snakemake/alive", "w")
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in Path(".snakemake/locks").glob("*.lock"):
            left.unlink()
    except BlockingIOError:
        pass  # somebody plays here: Snakemake's own locks decide
    except OSError:
        return None  # a file system without such locks, or one that cannot be written
    fcntl.flock(alive, fcntl.LOCK_SH)
    return alive  # kept open for as long as this process lives


snakemakes_lock = PersistenceBase.lock


def lock(persistence):
    """What Snakemake does before it makes anything: a dry run and a cluster's job lock nothing."""
    unlock_what_died_locked()
    return snakemakes_lock(persistence)


PersistenceBase.lock = lock
