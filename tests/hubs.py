"""A small model hub on this machine, which answers as huggingface_hub expects a hub to answer."""

import hashlib
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LARGE = (".safetensors", ".bin")  # kept in Git LFS, and served by another host


@dataclass
class Repository:
    """A model: its files at each commit, and what its names mean."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # branches and tags
    gated: bool = False
    token: str = ""  # what may see a gated or private one
    private: bool = False
    conversion: int = 0  # the pull request with its safetensors

    def commit(self, files: dict[str, bytes], name: str = "main") -> str:
        """Adds a commit, which a branch then means; gives its hash."""
        content = repr(sorted((path, body) for path, body in files.items())).encode()
        made = hashlib.sha1(content + name.encode()).hexdigest()
        self.commits[made] = files
        self.names[name] = made
        return made


@dataclass
class Hub:
    """The hub, what it was asked for, and how badly it serves."""

    url: str
    store: str = ""  # the other host
    models: dict[str, Repository] = field(default_factory=dict)
    asked: list[tuple[str, str, bool]] = field(default_factory=list)  # path, Range, with a token
    break_after: int = 0  # bytes of a file after which the connection breaks, each time
    drip: bool = False  # a byte at a time
    ranges: bool = True
    status: int = 0  # of every answer, if not 0
    answer: bytes | None = None  # of every question, if not None
    change: dict[str, bytes] = field(default_factory=dict)  # other bytes of a file than it promises

    def model(self, name: str, files: dict[str, bytes], **how) -> Repository:
        self.models[name] = Repository(**how)
        self.models[name].commit(files)
        return self.models[name]

    def upload(self, name: str, folder: Path) -> Repository:
        """Puts the files in a folder on the hub."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return self.model(
            name, {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        )

    @property
    def files_asked(self) -> list[str]:
        """The files that were asked for, in order."""
        return [path.rpartition("/")[2] for path, _, _ in self.asked if "/resolve/" in path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def end_headers(self) -> None:
        self.send_header("Connection", "close")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.close_connection = True
        hub, url = self.hub, urllib.parse.urlsplit(self.path)
        path, token = urllib.parse.unquote(url.path), self.headers.get("Authorization", "")
        hub.asked.append((path, self.headers.get("Range", ""), bool(token)))
        if hub.status:
            return self._json({"error": "as it happens"}, hub.status)
        if hub.answer is not None and path.startswith("/api/"):
            return self._send(hub.answer)
        if path.startswith("/stored/"):  # as a signed address: whoever has it may read
            _, _, name, commit, file = path.split("/", 4)
            model = hub.models[urllib.parse.unquote(name.replace("--", "/"))]
            return self._serve(hub.change.get(file, model.commits[commit][file]))
        rest = path.removeprefix("/api/models/").lstrip("/")
        owner, name, *rest = rest.split("/")
        model = hub.models.get(f"{owner}/{name}")
        allowed = model and token == f"Bearer {model.token}"
        if model is None or (model.private and not allowed):
            # Who is not logged in is not told whether there is such a model.
            status = 404 if token else 401
            return self._json(
                {"error": "Repository not found"}, status, X_Error_Code="RepoNotFound"
            )
        what, rest = (rest[0], rest[1:]) if rest else ("revision", ["main"])
        if what == "discussions":
            return self._discussions(model)
        # A revision may hold slashes (refs/pr/7), which a client quotes and nobody else does.
        known = {*model.names, *model.commits}
        joined = "/".join(rest)
        revision = next(
            (known_ for known_ in known if joined == known_ or joined.startswith(f"{known_}/")), ""
        )
        if not revision:
            return self._json({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
        commit = model.names.get(revision, revision)
        if what == "revision":
            return self._json({"id": f"{owner}/{name}", "sha": commit, "siblings": []})
        if what == "tree":
            return self._json(_tree(model.commits[commit]))
        if model.gated and not allowed:
            return self._json({"error": "gated"}, 403 if token else 401, X_Error_Code="GatedRepo")
        file = joined.removeprefix(f"{revision}/")
        if file not in model.commits[commit]:
            return self._json({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
        body = model.commits[commit][file]
        if not file.endswith(LARGE):
            return self._serve(hub.change.get(file, body), X_Repo_Commit=commit)
        self.send_response(302)
        self.send_header("Location", f"{hub.store}/stored/{owner}--{name}/{commit}/{file}")
        for key, value in (
            ("X-Repo-Commit", commit),
            ("X-Linked-Size", str(len(body))),
            ("X-Linked-Etag", f'"{hashlib.sha256(body).hexdigest()}"'),
            ("Content-Length", "0"),
        ):
            self.send_header(key, value)
        return self.end_headers()

    def _discussions(self, model: Repository) -> None:
        found = []
        if model.conversion:
            found = [
                {
                    "num": model.conversion,
                    "title": "Adding `safetensors` variant of this model",
                    "author": {"name": "SFconvertbot"},
                    "createdAt": "2023-06-30T00:00:00.000Z",
                    "status": "open",
                    "isPullRequest": True,
                    "repo": {"name": "a/b", "type": "model"},
                }
            ]
        self._json({"discussions": found, "count": len(found), "start": 0})

    def _json(self, content: object, status: int = 200, **headers: str) -> None:
        self._send(json.dumps(content).encode(), status, **headers)

    def _send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._write(body)

    def _serve(self, body: bytes, **headers: str) -> None:
        """A file, or the end of it."""
        hub, wanted = self.hub, self.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and hub.ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        body = body[start:]
        self._write(body[: hub.break_after] if hub.break_after else body)

    def _write(self, body: bytes) -> None:
        if self.command == "HEAD":
            return
        try:
            if not self.hub.drip:
                self.wfile.write(body)
                return
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(0.02)
        except OSError:
            pass  # the other side has had enough


def _tree(files: dict[str, bytes]) -> list[dict]:
    """Every file with its size and its id in git; of a large one that of its pointer."""
    entries = []
    for path, body in sorted(files.items()):
        entry = {"type": "file", "path": path, "size": len(body)}
        if path.endswith(LARGE):
            sha256 = hashlib.sha256(body).hexdigest()
            pointer = (
                f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\n"
                f"size {len(body)}\n"
            ).encode()
            entry["lfs"] = {"oid": sha256, "size": len(body), "pointerSize": len(pointer)}
            body = pointer
        entry["oid"] = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        entries.append(entry)
    return entries


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that serves, on two addresses as a real one does: itself, and its store of files."""
    handler = type("Handler", (_Handler,), {})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    httpd.daemon_threads = True
    handler.hub = Hub(
        f"http://127.0.0.1:{httpd.server_port}", f"http://localhost:{httpd.server_port}"
    )
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield handler.hub
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
