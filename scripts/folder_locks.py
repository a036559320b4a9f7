"""Who plays in a folder: told apart call by call, so that what a dead call locked can be unlocked.

Each call keeps a file in `.snakemake/calls/` open and locked, which the system lets go of when the
process ends, however it ends. The file says who that is, and which lock files are its own.
"""

import fcntl
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from scripts.untrusted.texts import parse_json

BOOT = Path("/proc/sys/kernel/random/boot_id")  # of the running kernel, on Linux


@dataclass(frozen=True)
class Call:
    """One call: its process, and the lock files that it has written."""

    process: int
    host: str
    boot: str
    began: str  # local time
    command: str
    locks: list[str] = field(default_factory=list)

    @property
    def is_here(self) -> bool:
        """Whether it ran on this machine: only then is it known what its lock tells.

        By its name, as before a restart, or by its kernel, as in another container.
        """
        return self.host == platform.node() or bool(self.boot) and self.boot == _boot()

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {self.began}: {self.command}"


def _boot() -> str:
    with suppress(OSError):
        return BOOT.read_text().strip()
    return ""


class FolderLocks:
    """The lock files of a folder, `<state>/locks/*.lock`, and the calls that hold them."""

    def __init__(self, state: Path) -> None:
        self.locks = state / "locks"
        self.calls = state / "calls"
        self._mine: tuple[Path, IO[str]] | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While this is held, no other call locks or unlocks anything.

        Raises OSError on file systems without locks, and where nothing can be written.
        """
        self.calls.mkdir(parents=True, exist_ok=True)
        with open(self.calls / "one at a time", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def unlock_dead(self) -> None:
        """Takes away the lock files that no living call holds. To be called alone."""
        held: set[str] = set()
        for path in self.calls.glob("*.json"):
            with open(path) as file:
                call = _read(file)
                if call and not (call.is_here and _is_free(file)):
                    held.update(call.locks)
                else:
                    path.unlink(missing_ok=True)
        for lock in self.names() - held:
            (self.locks / lock).unlink(missing_ok=True)

    def names(self) -> set[str]:
        """The lock files that there are."""
        return {path.name for path in self.locks.glob("*.lock")}

    def hold(self, locks: Iterable[str]) -> None:
        """Notes that these lock files are those of this process, for as long as it lives."""
        began = time.strftime("%Y-%m-%d %H:%M:%S")
        command = " ".join(["snakemake", *sys.argv[1:]])
        call = Call(os.getpid(), platform.node(), _boot(), began, command, sorted(locks))
        path = self.calls / f"{call.process}-{time.time_ns()}.json"
        file = open(path, "w")  # noqa: SIM115  (open and locked until `release`)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        json.dump(asdict(call), file)
        file.flush()
        self._mine = path, file

    def release(self) -> None:
        """What `hold` noted is over."""
        if self._mine:
            path, file = self._mine
            path.unlink(missing_ok=True)
            file.close()
            self._mine = None

    def holders(self, files: set[str]) -> list[tuple[Call, list[str]]]:
        """The calls that have locked some of these files, and which."""
        found = []
        for path in sorted(self.calls.glob("*.json")):
            with open(path) as file:
                call = _read(file)
            locks = call.locks if call else ()
            if shared := {line for lock in locks for line in self._lines(lock)} & files:
                found.append((call, sorted(shared)))
        return found

    def _lines(self, lock: str) -> list[str]:
        with suppress(OSError):
            return (self.locks / lock).read_text().splitlines()
        return []


def _read(file: IO[str]) -> Call | None:
    """What a call wrote about itself; None if it was killed before it had."""
    with suppress(ValueError, TypeError):
        return Call(**parse_json(file.read()))
    return None


def _is_free(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
