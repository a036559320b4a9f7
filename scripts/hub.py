"""Models from a hub: fetched once at one commit, checked, listed, and never asked for again.

A player's folder, models/<bundle>/<role>/, holds

    fetched.json    what was fetched: model, commit, and each file with its size and sha256
    <commit>/       the files themselves, under the names that they have on the hub
    <commit>.json   all that the hub holds at that commit, whether it is needed or not

and models/<bundle>/fetched.lock remembers which commit a name meant, and every digest.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from scripts.downloads import alone, digests, progress, read_lock, read_notes, say, write_lock
from scripts.errors import UserError
from scripts.files import digest, written
from scripts.untrusted.texts import parse_json, read_json

NEWEST = "main"  # the revision that is meant where none is named
LIST = "fetched.json"
LOCK = "fetched.lock"
TIMEOUT = 30.0  # seconds without a byte; at most for a whole answer that is no file
TRIES = 4  # in a row that brought no byte further
PAUSE = 1.0  # seconds before the second try; doubles with each
PATIENCE = 60.0  # seconds in which a file must come on by SLOWEST bytes each
SLOWEST = 1000.0
PASSING = {408, 425, 429, 500, 502, 503, 504}  # HTTP answers that may be better in a moment
COMMIT = 40  # hexadecimal digits

# Of the names of all files of a model: those that a player needs. The second argument reads a JSON
# file of the model.
Choice = Callable[[list[str], Callable[[str], Any]], list[str]]


class Unfit(Exception):
    """Why a model cannot be used as it is, as a sentence without its end."""


class NoSafetensors(Unfit):
    """The model's weights are there as pickles only, which are not opened."""


def is_folder(model: str) -> bool:
    """Whether a model is named as a folder of this machine; all else is a name on the hub.

    Whatever lies in a folder called like a model on the hub, `org/name` never means that folder.
    """
    return model.startswith(("/", "./", "../", "~"))


# --- what was fetched


@dataclass(frozen=True)
class Snapshot:
    """The files of a model on this machine."""

    folder: Path  # where they are
    names: tuple[str, ...]  # within it
    commit: str | None = None  # None of a folder of the user's own
    known: dict[str, str] | None = None  # the sha256 of each as it was fetched

    @property
    def paths(self) -> list[Path]:
        return [self.folder / name for name in self.names]

    def digests(self) -> dict[str, str]:
        """The sha256 of each file, by its name in the model.

        Raises UserError if one is missing, or has changed since it was fetched.
        """
        found = {}
        for name, path in zip(self.names, self.paths, strict=True):
            if not path.is_file():
                raise UserError(f"{path}: missing. {self._again}")
            found[name] = digest(path)
            if self.known is not None and found[name] != self.known[name]:
                raise UserError(f"{path}: changed since it was fetched. {self._again}")
        return found

    @property
    def _again(self) -> str:
        if self.known is None:
            return "Put it back, or name another folder."
        listed = self.folder.parent / LIST
        return f"Delete {listed} and run the same command again; what is missing is then fetched."


def fetched(folder: Path | str, model: str, revision: str | None = None) -> Snapshot:
    """What was fetched into a player's folder.

    Raises FileNotFoundError if nothing was yet, and UserError if it was something else.
    """
    path = Path(folder) / LIST
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, "missing", str(path))
    listed = read_json(path)
    try:
        known = {name: entry["sha256"] for name, entry in listed["files"].items()}
        inside = [PurePosixPath(name) for name in (listed["commit"], *known)]
        if any(name.is_absolute() or ".." in name.parts for name in inside):
            raise ValueError
        told = listed["model"], listed["revision"]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(
            f"{path}: this is not a list of fetched files. Delete it and run the same command "
            "again; what is missing is then fetched."
        ) from None
    if told != (model, revision or NEWEST):
        raise UserError(
            f"{folder}/{LIST} is of {told[0]} at {told[1]}. Delete that file, "
            "and run the same command again."
        )
    return Snapshot(Path(folder) / listed["commit"], tuple(known), listed["commit"], known)


def own(model: str, choose: Choice) -> Snapshot:
    """The model in a folder of the user's own. Raises UserError if it is not a whole one."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise UserError(f"{model}: there is no such folder; a model is looked for in it.")
    names = sorted(
        path.relative_to(folder).as_posix()
        for pattern in ("*", "*/*")
        for path in folder.glob(pattern)
        if path.is_file()
    )
    try:
        return Snapshot(folder, tuple(choose(names, lambda name: _json(folder / name))))
    except Unfit as error:
        raise UserError(f"{model}: {error}.") from None
    except OSError as error:
        raise UserError(f"{error.filename}: this file cannot be read: {error.strerror}.") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Unfit(f"it has no {path.name}") from None
    except ValueError as error:
        raise Unfit(f"{path.name} is damaged ({error})") from None
    if not isinstance(found, dict):
        raise Unfit(f"{path.name} is damaged (it holds no names and values)")
    return found


# --- fetching


@dataclass(frozen=True)
class Wanted:
    """A model on the hub, and the folder of the player that it is for."""

    model: str
    revision: str
    folder: Path

    @property
    def role(self) -> str:
        return self.folder.name

    @property
    def bundle(self) -> Path:
        return self.folder.parent

    @property
    def lock(self) -> Path:
        return self.bundle / LOCK


def fetch(model: str, revision: str | None, folder: Path | str, choose: Choice) -> None:
    """Fetches the files of a model that `choose` names, and lists them in <folder>/fetched.json.

    `revision` is a branch, a tag or a commit; None means the newest. What it meant the first time
    is noted in the bundle's fetched.lock, and kept. What is here already is not fetched again, and
    once all is here the network is not asked at all. Raises UserError, with what to do about it.
    """
    wanted = Wanted(model, revision or NEWEST, Path(folder))
    with _explained(wanted), alone(wanted.bundle):
        commit = _noted(wanted) or _ask(_commit_of, wanted)
        listing = wanted.folder / f"{commit}.json"
        if not listing.exists():
            offered = _ask(_offered, wanted, commit)
            with written(listing) as part:
                part.write_text(json.dumps(offered, indent=1))
        home = _Home(wanted, commit, read_json(listing))
        names = sorted(choose(list(home.offered), home.read))
        _note(wanted, commit)
        home.fetch(names)
        found = {name: digest(home.folder / name) for name in names}
        write_lock(wanted.lock, {f"{wanted.role}/{commit}/{name}": found[name] for name in names})
        with written(wanted.folder / LIST) as part:
            part.write_text(_listed(wanted, commit, home.folder, found))


def _listed(wanted: Wanted, commit: str, folder: Path, found: dict[str, str]) -> str:
    files = {
        name: {"size": (folder / name).stat().st_size, "sha256": sha256}
        for name, sha256 in found.items()
    }
    content = {
        "model": wanted.model,
        "revision": wanted.revision,
        "commit": commit,
        "files": files,
    }
    return json.dumps(content, indent=2) + "\n"


def _noted(wanted: Wanted) -> str | None:
    """The commit that fetched.lock remembers for this model and revision."""
    if len(wanted.revision) == COMMIT and set(wanted.revision) <= set("0123456789abcdef"):
        return wanted.revision
    start = f"{wanted.role}: {wanted.model} {wanted.revision} "
    notes = read_notes(wanted.lock)
    return next((note.removeprefix(start) for note in notes if note.startswith(start)), None)


def _note(wanted: Wanted, commit: str) -> None:
    notes = [note for note in read_notes(wanted.lock) if not note.startswith(f"{wanted.role}: ")]
    write_lock(
        wanted.lock, {}, [*notes, f"{wanted.role}: {wanted.model} {wanted.revision} {commit}"]
    )


@dataclass(frozen=True)
class _Home:
    """The folder of a model's files at one commit, and what the hub offers there."""

    wanted: Wanted
    commit: str
    offered: dict[str, dict[str, Any]]  # by name: size, and sha256 or git_blob

    @property
    def folder(self) -> Path:
        return self.wanted.folder / self.commit

    def read(self, name: str) -> Any:
        """The content of a JSON file, fetched if it must be."""
        if name not in self.offered:
            raise Unfit(f"it has no {name}")
        self.fetch([name])
        return _json(self.folder / name)

    def fetch(self, names: Iterable[str]) -> None:
        """Has all of these files here, and checked."""
        missing = [name for name in names if not self._is_here(name)]
        sizes = {name: self.offered[name]["size"] for name in missing}
        if sum(sizes.values()) > 1e6:
            say(
                f"{self.wanted.model}: {sum(sizes.values()) / 1e6:.1f} MB from {_endpoint()} at "
                f"commit {self.commit[:8]}"
            )
        self._check_room(sizes)
        for name in missing:
            part = self._part(name)
            if not _taken_from_cache(self.wanted, self.commit, name, self.offered[name], part):
                _download(self._address(name), part, sizes[name], f"{self.wanted.role}/{name}")
            if self._differs(name, part):
                part.unlink()
                raise Unfit(
                    f"{name} came with other bytes than {self._differs_from(name)} promises; run "
                    "the same command again"
                )
            os.replace(part, self.folder / name)

    def _is_here(self, name: str) -> bool:
        if name not in self.offered:
            raise Unfit(f"it has no {name}")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise Unfit(f"it has a file called {name!r}, which leads out of its folder")
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.is_file() and not self._differs(name, path)

    def _part(self, name: str) -> Path:
        path = self.folder / name
        return path.with_name(f".{path.name}.part")

    def _differs(self, name: str, path: Path) -> bool:
        offered, locked = self.offered[name], self._locked(name)
        if path.stat().st_size != offered["size"]:
            return True
        found = digests(path)
        return any(found[kind] != offered[kind] for kind in found if kind in offered) or (
            locked is not None and locked != found["sha256"]
        )

    def _locked(self, name: str) -> str | None:
        return read_lock(self.wanted.lock).get(f"{self.wanted.role}/{self.commit}/{name}")

    def _differs_from(self, name: str) -> str:
        return "the hub's list" if self._locked(name) is None else str(self.wanted.lock)

    def _address(self, name: str) -> str:
        from huggingface_hub import hf_hub_url

        return hf_hub_url(self.wanted.model, name, revision=self.commit, endpoint=_endpoint())

    def _check_room(self, sizes: dict[str, int]) -> None:
        """Raises UserError if the disk cannot hold what is missing."""
        parts = sum(_size(self._part(name)) for name in sizes)
        self.folder.mkdir(parents=True, exist_ok=True)
        lacking, free = sum(sizes.values()) - parts, shutil.disk_usage(self.folder).free
        if lacking > free:
            raise OSError(
                errno.ENOSPC, f"{lacking / 1e6:,.0f} MB are to come, and {free / 1e6:,.0f} MB free"
            )


def _taken_from_cache(
    wanted: Wanted, commit: str, name: str, offered: dict[str, Any], part: Path
) -> bool:
    """Whether the file was fetched for another program, and could be taken from the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(wanted.model, name, revision=commit)
    if not isinstance(cached, str) or os.stat(cached).st_size != offered["size"]:
        return False
    part.unlink(missing_ok=True)
    try:
        os.link(os.path.realpath(cached), part)
    except OSError:  # on another disk
        shutil.copyfile(cached, part)
    return True


# --- asking the hub


def _endpoint() -> str:
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def _commit_of(wanted: Wanted) -> str:
    """The commit that the revision means now."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=_endpoint())
    commit = api.model_info(wanted.model, revision=wanted.revision, timeout=TIMEOUT).sha
    if commit is None:
        raise ValueError("no commit")
    return commit


def _offered(wanted: Wanted, commit: str) -> dict[str, dict[str, Any]]:
    """All files of the model at a commit: the size of each, and its sha256 or its id in git."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    tree = HfApi(endpoint=_endpoint()).list_repo_tree(wanted.model, revision=commit, recursive=True)
    return {
        file.path: {
            "size": file.size,
            **({"sha256": file.lfs.sha256} if file.lfs else {"git_blob": file.blob_id}),
        }
        for file in tree
        if isinstance(file, RepoFile)
    }


def _ask(question: Callable[..., Any], *arguments: Any) -> Any:
    """The answer to a question to the hub, which must be whole in TIMEOUT seconds."""
    answers: list[Any] = []
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            answers.append(question(*arguments))
        except BaseException as error:
            errors.append(error)

    asking = threading.Thread(target=ask, daemon=True)  # one that hangs must not hold up the end
    asking.start()
    asking.join(TIMEOUT)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no whole answer within {TIMEOUT:g} seconds")
    return answers[0]


def _converted(wanted: Wanted) -> str:
    """Where the hub's own conversion of the model to safetensors is, as a sentence."""
    from huggingface_hub import HfApi

    def ask() -> list[int]:
        api = HfApi(endpoint=_endpoint())
        offers = api.get_repo_discussions(
            wanted.model, author="SFconvertbot", discussion_type="pull_request"
        )
        return [offer.num for offer in offers if "safetensors" in offer.title]

    with contextlib.suppress(Exception):  # it is a hint, no more
        return f" The hub's own conversion is there as `revision: refs/pr/{_ask(ask)[0]}`."
    return ""


# --- one file


class _Slow(Exception):
    """The bytes come too slowly."""


def _download(address: str, part: Path, size: int, name: str) -> None:
    """Has `part` grow to `size` bytes, on from where an earlier call or a connection ended.

    Raises what the last of several tries raised.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    tries = 0
    if _size(part) > size:
        part.unlink()
    while _size(part) < size or not part.exists():
        before, slow = _size(part), False
        try:
            _append(address, part, size, name)
            continue
        except (httpx2.TransportError, TimeoutError) as error:
            problem = error
        except _Slow as error:
            problem, slow = error, True
        except HfHubHTTPError as error:
            if error.response.status_code not in PASSING:
                raise
            problem = error
        tries = 1 if _size(part) > before and not slow else tries + 1
        if tries >= TRIES:
            raise problem
        say(f"{name}: {_reason(problem)}; trying again")
        time.sleep(PAUSE * 2 ** (tries - 1))


def _append(address: str, part: Path, size: int, name: str) -> None:
    """Asks for what `part` still lacks and appends it."""
    import httpx2
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    have = _size(part)
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with get_session().stream(
        "GET", address, headers=headers, timeout=TIMEOUT, follow_redirects=True
    ) as answer:
        if answer.status_code >= 400:
            answer.read()
        hf_raise_for_status(answer)
        start = have if answer.status_code == 206 else 0
        with (
            open(part, "ab" if start else "wb") as file,
            contextlib.closing(progress(name, start, size)) as shown,
        ):
            next(shown)
            watched = _watched(answer.iter_bytes(), PATIENCE)
            for block in watched:
                if file.tell() + len(block) > size:
                    raise httpx2.RemoteProtocolError("more bytes came than the file has")
                file.write(block)
                if size > 1e6:
                    shown.send(file.tell())
            file.flush()
            os.fsync(file.fileno())
        if _size(part) < size:
            raise httpx2.RemoteProtocolError("the connection broke")


def _watched(blocks: Iterable[bytes], patience: float) -> Iterator[bytes]:
    """The blocks as they come. Raises _Slow if they only drip."""
    begun, came = time.monotonic(), 0
    for block in blocks:
        yield block
        came += len(block)
        took = time.monotonic() - begun
        if took > patience:
            if came < SLOWEST * took:
                raise _Slow(f"only {came / took:.0f} bytes a second come")
            begun, came = time.monotonic(), 0


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


# --- what can go wrong, in words


@contextlib.contextmanager
def _explained(wanted: Wanted) -> Iterator[None]:
    """Turns whatever happens into one message that says what to do."""
    import httpx2

    try:
        yield
    except Unfit as error:
        converted = _converted(wanted) if isinstance(error, NoSafetensors) else ""
        problem = f"cannot be used: {error}.{converted}"
    except (httpx2.HTTPError, TimeoutError, _Slow) as error:
        problem = _problem(wanted, error)
    except OSError as error:
        problem = _problem(wanted, error)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = (
            f"could not be fetched: {_endpoint()} does not answer as a hub does "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__}). Is the "
            "environment variable HF_ENDPOINT right?"
        )
    else:
        return
    raise UserError(
        f"{wanted.bundle}/bundle.yaml: {wanted.role}: the model {wanted.model} {problem}\n"
        "What has come so far is kept. If you have the model's files, put them into a folder of "
        f"your own, and name it there: `model: /data/{wanted.model.rpartition('/')[2]}`."
    ) from None


def _problem(wanted: Wanted, error: Exception) -> str:
    """What is wrong, and what to do about it."""
    from huggingface_hub import errors

    page = f"{_endpoint()}/{wanted.model}"
    login = "log in with `hf auth login` (or set HF_TOKEN)"
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    if isinstance(error, errors.GatedRepoError):
        return f"is gated: accept its terms at {page}, {login}, and run the same command again."
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"is not at {page}, or it is private: check its name; for a private model, {login}."
    if isinstance(error, errors.RevisionNotFoundError):
        return f"has no revision {wanted.revision}: see {page}/commits for those that it has."
    if isinstance(error, errors.EntryNotFoundError):
        return f"lacks a file that its own list names, at {page}."
    if status in (401, 403):
        return (
            f"is refused to you ({status}) by {_endpoint()}: {login} with an account that may read "
            "it."
        )
    if status == 429:
        return f"could not be fetched: {_endpoint()} asks for fewer calls (429). Wait, or {login}."
    if status is not None:
        return f"could not be fetched: {_endpoint()} answered {status}. Try again later."
    if isinstance(error, errors.OfflineModeIsEnabled):
        return (
            "is not here yet, and HF_HUB_OFFLINE forbids to fetch it: unset it for one call on a "
            "machine with a network."
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return (
            f"does not fit on the disk of {wanted.folder} ({error.strerror}): make room there, or "
            "make that folder a link to a larger disk."
        )
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return f"cannot be stored: {error.filename}: {error.strerror}."
    return (
        f"could not be fetched from {_endpoint()}: {_reason(error)}. Once there is a network, the "
        "same command goes on where this one stopped."
    )


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines and lines[0] else type(error).__name__
