"""What a game that was killed left locked."""

import fcntl

from snakemake.settings.types import ExecMode


@lru_cache
def unlock_what_died_locked():
    """Takes away Snakemake's locks if whoever set them is dead, so that the plain command goes on.

    Each game holds a file open and locked, which the system lets go of when the process ends,
    however it ends. If none holds it, no game is alive here. (Called while jobs are put together:
    before Snakemake looks for locks.)
    """
    if workflow.exec_mode != ExecMode.DEFAULT or workflow.dryrun:
        return None
    alive = open(".snakemake/alive", "w")
    try:
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in Path(".snakemake/locks").glob("*.lock"):
            left.unlink()
    except BlockingIOError:
        pass  # somebody plays here: Snakemake's own locks decide
    except OSError:
        return None  # a file system without such locks
    fcntl.flock(alive, fcntl.LOCK_SH)
    return alive  # kept open for as long as this process lives
