"""What is in a dataset's pictures: a digest of each, kept while the file is the same.

A file is the same while its size and its times of change are: then it is not read again.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.files import write_json
from scripts.untrusted.pictures import open_picture

KEPT = Path(".snakemake/pictures")  # in the folder that is played in: the one sure to be writable
READERS = 4  # threads; reading and decoding let others run
SHOWN = 5  # broken pictures that are named


class Pictures:
    """The pictures of a folder by their names; what is known of them is kept for the next call."""

    def __init__(self, folder: Path | str, names: Iterable[str]) -> None:
        self.folder = Path(folder)
        self.names = sorted(set(names))
        place = hashlib.sha256(os.path.abspath(folder).encode("utf-8", "surrogateescape"))
        self.kept = KEPT / f"{place.hexdigest()[:16]}.json"
        self.known = self._load()  # by name: stamp, digest, whether it can be decoded

    def digest(self) -> str:
        """A digest of the names and contents of all pictures. Raises UserError if one is gone."""

        def read(name: str) -> None:
            path = self.folder / name
            try:
                with path.open("rb") as file:
                    status = os.fstat(file.fileno())
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise UserError(f"{path}: this file cannot be read ({error.strerror}).") from None
            self.known[name] = {"stamp": _stamp(status), "sha256": found, "whole": False}

        self._work(read, [name for name in self.names if not self._is_known(name)])
        contents = [[name, self.known[name]["sha256"]] for name in self.names]
        return hashlib.sha256(json.dumps(contents).encode()).hexdigest()

    def check(self) -> None:
        """Decodes each picture once. Raises UserError, naming the first that cannot be opened."""
        self.digest()
        faults: list[str] = []

        def look(name: str) -> None:
            if len(faults) <= SHOWN:
                try:
                    open_picture(self.folder / name)
                    self.known[name]["whole"] = True
                except UserError as error:
                    faults.append(str(error))

        self._work(look, [name for name in self.names if not self.known[name]["whole"]])
        if faults:
            more = ["There may be more such pictures."] if len(faults) > SHOWN else []
            raise UserError("\n".join(sorted(faults[:SHOWN]) + more))

    def _work(self, work: Callable[[str], None], names: list[str]) -> None:
        """Does something about some pictures, and keeps what is known of all of them then."""
        if not names:
            return
        try:
            with ThreadPoolExecutor(READERS) as readers:
                for _ in readers.map(work, names):
                    pass
        finally:
            if KEPT.parent.is_dir():
                with suppress(UserError):  # it only saves time
                    write_json(self.kept, self.known)

    def _is_known(self, name: str) -> bool:
        with suppress(OSError, KeyError, TypeError):
            return self.known[name]["stamp"] == _stamp(os.stat(self.folder / name))
        return False

    def _load(self) -> dict[str, dict[str, Any]]:
        with suppress(OSError, ValueError, AttributeError):
            kept = json.loads(self.kept.read_bytes())
            return {name: kept[name] for name in self.names if _is_note(kept.get(name))}
        return {}


def _stamp(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _is_note(note: Any) -> bool:
    return isinstance(note, dict) and {"stamp", "sha256", "whole"} <= note.keys()
