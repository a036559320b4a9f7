"""Files: their digests, and writing them whole or not at all."""

import datetime
import hashlib
import json
import os
import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from scripts.errors import UserError

CLOCKS_DIFFER = 24 * 3600  # seconds, of machines that share a folder


@contextmanager
def written(path: Path | str) -> Iterator[Path]:
    """Gives the name to write to; the file gets its own name once it is complete.

    Whoever is killed half-way leaves `.<name>.part` behind, which the next attempt overwrites.
    Raises UserError if the file cannot be written (a full disk, no permission).
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)  # a link there would lead the writer elsewhere
        yield part
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise UserError(f"{path}: this file cannot be written ({reason}).") from None
        raise


def write_json(path: Path | str, content: dict[str, Any]) -> None:
    """Writes a JSON file, whole or not at all, with the same bytes on every machine."""
    with written(path) as part:
        part.write_bytes(json_bytes(content))


def json_bytes(content: dict[str, Any]) -> bytes:
    """What `write_json` writes."""
    return f"{json.dumps(content, indent=2, ensure_ascii=False)}\n".encode()


@contextmanager
def written_folder(path: Path | str) -> Iterator[Path]:
    """Gives a folder to write to, which takes the place of the one called `path` once it is full.

    Raises UserError if it cannot be written.
    """
    path = Path(path)
    part, old = (path.with_name(f".{path.name}.{name}") for name in ("part", "old"))
    try:
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if path.exists():
            os.replace(path, old)
        os.replace(part, path)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise UserError(f"{path}: this folder cannot be written ({reason}).") from None
        raise


def digest(path: Path | str) -> str:
    """The sha256 of a file; read once in a process, unless it changes."""
    status = os.stat(path)
    return _digest(os.path.abspath(path), status.st_size, status.st_mtime_ns)


@contextmanager
def unchanged(*paths: Path | str) -> Iterator[None]:
    """Raises UserError if a file changes in the meantime, since nobody knows which one was read.

    Times would not tell later: what is made of the file is younger than the change.
    """
    before = [(path, digest(path)) for path in paths]
    yield
    for path, then in before:
        if not os.path.exists(path) or digest(path) != then:
            raise UserError(f"{path}: changed while it was read. Run the same command again.")


def check_date(path: Path | str) -> None:
    """Raises UserError if a file is dated in the future, by more than clocks differ.

    All that is made of it would be older: Snakemake refuses that, or makes it anew by every call.
    """
    changed = os.stat(path).st_mtime if os.path.exists(path) else 0
    if changed > time.time() + CLOCKS_DIFFER:
        date = f"{datetime.datetime.fromtimestamp(changed, datetime.UTC):%Y-%m-%d}"
        raise UserError(
            f"{path}: this file is dated {date}, in the future; all that is made of it would be"
            f" made anew by every call. Give it today's date: touch {shlex.quote(str(path))}"
        )


@lru_cache(maxsize=100_000)
def _digest(path: str, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
