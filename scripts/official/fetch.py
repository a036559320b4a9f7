"""Gets the published files: mirrors in order, resumable, and checked before they get their name.

A download grows in a hidden file beside its destination, which survives a broken connection and the
end of the program. Only when it is whole, and is what it should be, is it renamed.
"""

import contextlib
import hashlib
import http.client
import json
import lzma
import os
import shutil
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import BinaryIO

from scripts.downloads import BLOCK, alone, digests, progress, read_lock, say, write_lock
from scripts.errors import UserError
from scripts.official.published import Original, Source, originals
from scripts.untrusted.checkpoints import LEGACY, ZIPPED
from scripts.untrusted.files import guess
from scripts.untrusted.texts import read_json

AGENT = "TelephoneGAN/1 (Python urllib)"
TIMEOUT = 30.0  # seconds without a byte
TRIES = 4  # in a row that brought fewer than SLOWEST bytes
WINDOW = 60.0  # seconds in which at least SLOWEST bytes must come, or the next source is tried
SLOWEST = 60_000  # bytes: a file of 60 MB would take 17 hours
PAUSE = 1.0  # seconds before the second try; doubles with each
PASSING = {408, 425, 429, 500, 502, 503, 504}  # HTTP answers that may be better in a moment


class Unusable(Exception):
    """Why one source cannot give the file; the next one may."""


def fetch_original(path: Path | str) -> None:
    """Gets the published file `models/<bundle>/<name>` from where the bundle.yaml beside it says.

    An archive that holds several wanted files is downloaded once. Raises UserError.
    """
    path = Path(path)
    if path.exists():  # what somebody put there is never overwritten
        return
    wanted = originals(path.parent)
    others = [
        other
        for name, other in wanted.items()
        if name != path.name and not (path.parent / name).exists()
    ]
    fetch(
        wanted[path.name],
        path,
        lock=path.parent / "fetched.lock",
        keep={source.url for other in others for source in other.sources if source.member},
    )


def fetch(
    original: Original,
    destination: Path | str,
    *,
    lock: Path | None = None,
    keep: set[str] = frozenset(),
    pause: float = PAUSE,
    timeout: float = TIMEOUT,
    window: float = WINDOW,
) -> None:
    """Downloads a file from the first of its sources that has it.

    What the digests do not pin is trusted on first use: its sha256 is written to the `lock` file,
    and later downloads must have it. Archives from the addresses in `keep` stay beside the
    destination, hidden, for the next file in them.

    Raises UserError, with every source and what was wrong with it, if none has it.
    """
    destination = Path(destination)
    reasons = []
    try:
        with alone(destination.parent):
            for source in original.sources:
                try:
                    _fetch_from(source, original, destination, lock, keep, pause, timeout, window)
                    return
                except Unusable as error:
                    reasons.append(f"  {source.url}\n    {error}")
                    say(f"{destination.name}: {source.url}: {error}")
    except OSError as error:  # of this machine: those of the network are Unusable
        raise UserError(f"{error.filename or destination}: {error.strerror or error}.") from None
    raise UserError(
        f"{destination} could not be downloaded. Get {destination.name} in another way and put it "
        f"into the folder {destination.parent}{os.sep}; it is then used as it is.\n"
        "Tried:\n" + "\n".join(reasons)
    )


def _fetch_from(
    source: Source,
    original: Original,
    destination: Path,
    lock: Path | None,
    keep: set[str],
    pause: float,
    timeout: float,
    window: float,
) -> None:
    """Downloads, checks and names the file, or raises Unusable."""
    part = _download(source, original, destination, pause, timeout, window)
    whole = part
    if source.member:
        whole = _extract(part, source, destination, _most_bytes(original))
    try:
        sha256 = _check(whole, original, read_lock(lock).get(destination.name))
    except Unusable:
        _discard(whole)
        _discard(part)
        raise
    if lock is not None and "sha256" not in original.digests:
        write_lock(lock, {destination.name: sha256})
    os.replace(whole, destination)
    _discard(whole)
    if source.url not in keep:
        _discard(part)
    for other in destination.parent.glob(f".{destination.name}.*.part"):
        _discard(other)


# --- one source


def _download(
    source: Source,
    original: Original,
    destination: Path,
    pause: float,
    timeout: float,
    window: float,
) -> Path:
    """The hidden file with all that the source's address gives. Raises Unusable."""
    mark = hashlib.sha256(source.url.encode()).hexdigest()[:8]
    name = "archive" if source.member else destination.name  # an archive serves several files
    part = destination.parent / f".{name}.{mark}.part"
    most = MOST_BYTES if source.member else _most_bytes(original)
    url, tries = source.url, 0
    while True:
        before = _size(part)
        try:
            if _transfer(url, part, most, destination.name, timeout, window):
                form = _confirmation(part, url)
                if form is None:
                    return part
                _discard(part)
                if url != source.url:
                    raise Unusable("asks for a confirmation again and again")
                url = form
                continue
            reason = "the connection broke"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and before:  # what is here is longer than what is there
                _discard(part)
                reason = "the file there has changed"
            elif error.code in PASSING:
                reason = f"the server answered {error.code} {error.reason}"
            else:
                raise Unusable(f"the server answered {error.code} {error.reason}") from None
        except urllib.error.URLError as error:  # no connection at all: the next one may answer
            raise Unusable(str(error.reason)) from None
        except TimeoutError:
            reason = f"no answer within {timeout:g} seconds"
        except (http.client.HTTPException, ConnectionError, ssl.SSLError) as error:
            reason = str(error) or type(error).__name__
        except ValueError as error:  # an address that is none
            raise Unusable(str(error)) from None
        tries = 1 if _size(part) - before >= SLOWEST else tries + 1
        if tries >= TRIES:
            raise Unusable(reason)
        say(f"{destination.name}: {reason}; trying again")
        time.sleep(pause * 2 ** (tries - 1))


def _transfer(url: str, part: Path, most: int, name: str, timeout: float, window: float) -> bool:
    """Asks for what `part` still lacks and appends it. True if it is whole then."""
    have, note = _size(part), part.with_suffix(".json")
    known = _read_note(note)
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
    if have:
        # What has begun goes on only if the file there is still the same one.
        headers["Range"] = f"bytes={have}-"
        if validator := known.get("validator"):
            headers["If-Range"] = validator
        if have == known.get("total"):
            return True
    request = urllib.request.Request(url, headers=headers)
    watch = _Watch(window)
    with watch, _opener(watch).open(request, timeout=timeout) as answer:
        start, total = _extent(answer, have)
        if start and total != known.get("total", total):
            _discard(part)
            raise http.client.HTTPException("the file there has changed")
        if total is not None and total > most:
            _discard(part)
            raise Unusable(f"it has {total:,} bytes, far more than the file that is wanted")
        note.write_text(json.dumps({"validator": _validator(answer), "total": total}))
        with open(part, "ab" if start else "wb") as file:
            with contextlib.closing(progress(name, start, total)) as shown:
                next(shown)
                while block := answer.read1(BLOCK):
                    if file.tell() + len(block) > most:
                        file.truncate(0)
                        raise Unusable("it is far longer than the file that is wanted")
                    file.write(block)
                    watch.came += len(block)
                    shown.send(file.tell())
            file.flush()
            os.fsync(file.fileno())
            return total is None or file.tell() >= total


class _Watch:
    """Ends connections over which fewer than SLOWEST bytes come in a window of some seconds.

    A timeout of sockets begins anew with each byte: a server that sends one now and then would keep
    the program for ever, in the headers as well as in the file. Leaving the context raises Unusable
    if a connection was ended.
    """

    def __init__(self, window: float) -> None:
        self.window = window
        self.came = 0  # bytes of the file
        self.connections: list[_Watched] = []
        self.slow = False
        self.over = threading.Event()

    def __enter__(self) -> "_Watch":
        threading.Thread(target=self._look, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        if self.slow:
            raise Unusable(
                f"it is too slow: fewer than {SLOWEST:,} bytes came in {self.window:g} seconds"
            )

    def _look(self) -> None:
        before = 0
        while not self.over.wait(self.window):
            if self.came - before < SLOWEST:
                self.slow = True
                for connection in self.connections:
                    connection.end()
            before = self.came


class _Watched(http.client.HTTPConnection):
    """A connection that another thread can end, from its first handshake on."""

    watch: _Watch
    opened: socket.socket | None = None

    def connect(self) -> None:
        self.watch.connections.append(self)
        super().connect()
        self.opened = self.sock  # which urllib takes away from here

    def end(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            (self.opened or self.sock).shutdown(socket.SHUT_RDWR)


def _opener(watch: _Watch) -> urllib.request.OpenerDirector:
    """Opens http and https, through proxies and redirects, and nothing else (ftp, local files)."""
    watched = {"watch": watch}
    plain = type("Plain", (_Watched,), watched)
    secure = type("Secure", (_Watched, http.client.HTTPSConnection), watched)

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(plain, request)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(secure, request)

    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        PlainHandler,
        SecureHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _extent(answer: http.client.HTTPResponse, have: int) -> tuple[int, int | None]:
    """Where the answer's bytes begin in the file, and how many the file has in all."""
    if answer.status == 206:
        span, _, total = answer.headers.get("Content-Range", "").partition("/")
        if span.removeprefix("bytes ").partition("-")[0].strip() == str(have):
            return have, int(total) if total.isdigit() else None
        raise http.client.HTTPException("the server sent another part than was asked for")
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _validator(answer: http.client.HTTPResponse) -> str | None:
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified")


class _Form(HTMLParser):
    """The first form of a web page: where it is sent, and its hidden fields; and the title."""

    def __init__(self) -> None:
        super().__init__()
        self.action, self.fields, self.title, self._in_title = "", {}, "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._in_title = tag == "title"
        if tag == "form" and not self.action:
            self.action = values.get("action", "")
        if tag == "input" and values.get("type") == "hidden" and self.action:
            self.fields[values.get("name", "")] = values.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
            self._in_title = False


def _read_page(path: Path) -> _Form | None:
    """The web page in a file, if it is one."""
    with open(path, "rb") as file:
        head = file.read(BLOCK)
    if not guess(head).startswith("a web page"):
        return None
    page = _Form()
    page.feed(head.decode("utf-8", "replace"))
    return page


def _confirmation(part: Path, url: str) -> str | None:
    """The address behind the button of Google Drive's "too large to scan for viruses" page."""
    page = _read_page(part)
    if page is None or "confirm" not in page.fields:
        return None
    action = urllib.parse.urljoin(url, page.action)
    theirs, ours = urllib.parse.urlsplit(action), urllib.parse.urlsplit(url)
    google = (theirs.hostname or "").endswith(".usercontent.google.com")
    if theirs.netloc != ours.netloc and not (google and theirs.scheme == "https"):
        return None
    return f"{action}?{urllib.parse.urlencode(page.fields)}"


def _extract(archive: Path, source: Source, destination: Path, most: int) -> Path:
    """The wanted member of a zip archive, in a hidden file of its own.

    Raises Unusable. The archive is thrown away then: it may be another one the next time.
    """
    whole = destination.parent / f".{destination.name}.member"
    try:
        with zipfile.ZipFile(archive) as file:
            if file.getinfo(source.member).file_size > most:
                raise Unusable(f"the {source.member} there is far longer than what is wanted")
            with file.open(source.member) as member, open(whole, "wb") as out:
                shutil.copyfileobj(member, out, BLOCK)
                out.flush()
                os.fsync(out.fileno())
        return whole
    except KeyError:
        reason = _seems(archive) or f"the archive there holds no {source.member}"
    except Unusable as error:
        reason = str(error)
    except OSError as error:
        if error.errno is not None:  # of this machine; bzip2's own errors have no number
            raise
        reason = "the zip archive there is damaged"
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError):
        reason = _seems(archive) or "the zip archive there is damaged"
    except (zlib.error, lzma.LZMAError):
        reason = "the zip archive there is damaged"
    _discard(archive)
    _discard(whole)
    raise Unusable(reason)


# --- is it the file?


MOST_BYTES = 1 << 31  # of an archive, or of a file of which no size is known


def _most_bytes(original: Original) -> int:
    """More bytes than these cannot be the file."""
    if original.size is None:
        return MOST_BYTES
    expected = original.size if isinstance(original.size, int) else original.size[1]
    return 2 * expected + (1 << 20)


def _check(path: Path, original: Original, locked: str | None) -> str:
    """The file's sha256, if it can be the original. Raises Unusable, saying why it is not."""
    size = path.stat().st_size
    if seems := _seems(path):
        raise Unusable(seems)
    if isinstance(original.size, int) and size != original.size:
        raise Unusable(f"it has {size:,} bytes instead of {original.size:,}")
    if isinstance(original.size, tuple):
        low, high = original.size
        if 2 * size < low:
            raise Unusable(f"it has {size:,} bytes instead of about {low:,}: a decoy")
        if not low <= size <= high:
            say(f"{path.name}: warning: {size:,} bytes, but {low:,} to {high:,} were expected")
    with open(path, "rb") as file:
        head = file.read(512)
        file.seek(0)
        if not _begins_well(file, head, original.kind):
            raise Unusable(f"it is not a {original.kind}")
    found = digests(path)
    expected = dict(original.digests)
    for name, value in expected.items():
        if found[name] != value:
            raise Unusable(f"its {name} is {found[name]} instead of {value}")
    if locked is not None and found["sha256"] != locked:
        raise Unusable(
            f"its sha256 is {found['sha256']}, but fetched.lock remembers {locked} from the first "
            "download"
        )
    return found["sha256"]


def _begins_well(file: BinaryIO, head: bytes, kind: str) -> bool:
    if kind == "checkpoint" and head.startswith(ZIPPED):  # saved again by a younger torch
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(file) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
        return False
    if kind == "checkpoint":
        return head.startswith(LEGACY)
    return head.startswith((b"\x80", b"(", b"c", b"]", b"}"))


def _seems(path: Path) -> str:
    """What was sent instead of the file, or "" if nothing speaks against it."""
    page = _read_page(path)
    if page is not None:
        title = " ".join(page.title.split())
        return "a web page was sent instead" + (f": {title}" if title else "")
    with open(path, "rb") as file:
        head = file.read(1024)
    if not head:
        return "nothing was sent"
    if head.startswith(ZIPPED):  # left to the check of its contents
        return ""
    if head.lstrip().startswith(b'{"error'):
        return "an error message was sent instead"
    return f"it is {guess(head)}" if guess(head) else ""


# --- files beside the destination


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _read_note(note: Path) -> dict:
    try:
        found = read_json(note)
    except UserError:
        return {}
    return found if isinstance(found, dict) else {}


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    if part.suffix == ".part":
        part.with_suffix(".json").unlink(missing_ok=True)
