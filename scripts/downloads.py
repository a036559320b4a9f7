"""What every download needs: one at a time, checked, noted in a lock file, and shown."""

import contextlib
import fcntl
import hashlib
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

from scripts.files import written
from scripts.untrusted.files import MIB
from scripts.untrusted.texts import decode, read_bytes

BLOCK = 1 << 18


def digests(path: Path | str) -> dict[str, str]:
    """The sha256 of a file, and the id that git gives to its content (`git_blob`)."""
    path = Path(path)
    sha256 = hashlib.sha256()
    git_blob = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            sha256.update(block)
            git_blob.update(block)
    return {"sha256": sha256.hexdigest(), "git_blob": git_blob.hexdigest()}


# --- the lock file: lines as sha256sum writes and checks them, and notes that begin with a #


def read_lock(lock: Path | None) -> dict[str, str]:
    """The digests of earlier downloads, by file name."""
    lines = (line.split(maxsplit=1) for line in _lines(lock) if line[:1] != "#")
    return {fields[1].removeprefix("*"): fields[0] for fields in lines if len(fields) == 2}


def read_notes(lock: Path | None) -> list[str]:
    """The notes in a lock file, without the # that each begins with."""
    return [line[1:].strip() for line in _lines(lock) if line[:1] == "#"]


def write_lock(lock: Path, entries: Mapping[str, str], notes: list[str] | None = None) -> None:
    """Adds entries, a digest for each file's name; replaces the notes if there are any given."""
    kept = read_notes(lock) if notes is None else notes
    lines = [f"# {note}\n" for note in kept]
    lines += [f"{found}  {name}\n" for name, found in sorted((read_lock(lock) | entries).items())]
    with written(lock) as part:
        part.write_text("".join(lines), "utf-8")


def _lines(lock: Path | None) -> list[str]:
    if lock is None or not lock.exists():
        return []
    text = decode(lock, read_bytes(lock, MIB, empty=True))
    return [line.strip() for line in text.split("\n")]


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One download at a time in a folder, of this process and of others."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".downloading"
    with open(path, "w") as file:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- what the person sees


def say(text: str) -> None:
    """Tells the person, at once."""
    print(text, file=sys.stderr, flush=True)


def progress(name: str, start: int, total: int | None) -> Generator[None, int, None]:
    """Takes the bytes that have come and shows them: one living line, or few lines if logged."""
    living = sys.stderr.isatty()
    shown, shown_at = start, time.monotonic()
    if start:
        say(f"{name}: going on after {start / 1e6:.1f} MB")
    try:
        while True:
            done = yield
            now = time.monotonic()
            step = total / 10 if total else 50e6
            due = now - shown_at >= 0.2 if living else done - shown >= step or now - shown_at >= 30
            if not due and done != total:
                continue
            of = f" of {total / 1e6:.1f} MB ({100 * done // total} %)" if total else " MB"
            line = f"{name}: {done / 1e6:.1f}{of}"
            print(f"\r{line}" if living else line, end="" if living else "\n", file=sys.stderr)
            sys.stderr.flush()
            shown, shown_at = done, now
    finally:
        if living and shown > start:
            print(file=sys.stderr)
