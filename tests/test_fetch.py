"""Downloads: from the first mirror that has the file, whole and checked, or not at all."""

import contextlib
import hashlib
import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from killing import kill_before_each_file_operation

from scripts.downloads import digests
from scripts.errors import UserError
from scripts.official.fetch import fetch, fetch_original
from scripts.official.published import Original, Source, missing, originals, published
from scripts.untrusted.checkpoints import LEGACY

WEIGHTS = LEGACY + bytes(range(256)) * 800
SIZE = len(WEIGHTS)
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
PAGE = b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head></html>"


@dataclass
class Page:
    """How the server answers for one path."""

    body: bytes = b""
    status: int = 200
    ranges: bool = True  # whether it honours Range
    break_after: int = 0  # bytes after which the connection breaks, each time
    tag: str = '"1"'
    move: str = ""  # redirect there
    lengthless: bool = False
    drip: str = ""  # head or body: what comes a byte at a time


@dataclass
class Server:
    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, Range

    def __call__(self, path: str, body: bytes = b"", **how) -> Source:
        self.pages[f"/{path}"] = Page(body, **how)
        return Source(f"{self.url}/{path}")


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def drip(self, page: Page) -> None:
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(page.body)}\r\n\r\n".encode()
            if page.drip == "body":
                self.wfile.write(head)
            with contextlib.suppress(OSError):
                for byte in page.body if page.drip == "body" else head * 1_000:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.02)

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            known.asked.append((self.path, wanted))
            page = known.pages.get(self.path, Page(b"not here", 404))
            self.close_connection = True
            if page.drip:
                return self.drip(page)
            if page.move:
                self.send_response(302)
                self.send_header("Location", page.move)
                self.send_header("Content-Length", "0")
                return self.end_headers()
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if self.headers.get("If-Range", page.tag) != page.tag or not page.ranges:
                start = 0
            if start and start >= len(page.body):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206 if start else page.status)
            if start:
                size = len(page.body)
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("ETag", page.tag)
            if not page.lengthless:
                self.send_header("Content-Length", str(len(page.body) - start))
            self.end_headers()
            body = page.body[start:]
            self.wfile.write(body[: page.break_after] if page.break_after else body)

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known = Server(f"http://127.0.0.1:{httpd.server_port}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield known
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def get(destination: Path, *sources: Source, size=SIZE, lock=None, **digests: str) -> None:
    original = Original("checkpoint", sources, size, digests)
    fetch(original, destination, lock=lock, pause=0.001, timeout=5)


@pytest.mark.parametrize("drip", ["head", "body"])
def test_bytes_that_drip_are_not_waited_for(
    tmp_path: Path, server: Server, capsys, drip: str
) -> None:
    original = Original("checkpoint", (server("mirror", WEIGHTS, drip=drip), server("a", WEIGHTS)))
    fetch(original, tmp_path / "a.pth", pause=0.001, timeout=5, window=0.3)
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS
    assert "mirror: it is too slow: fewer than 60,000 bytes" in capsys.readouterr().err


def test_connections_that_break_after_a_few_bytes_are_given_up(
    tmp_path: Path, server: Server
) -> None:
    with pytest.raises(UserError, match="the connection broke"):
        get(tmp_path / "a.pth", server("a", WEIGHTS, break_after=10))
    get(tmp_path / "a.pth", server("a", WEIGHTS), sha256=SHA256)  # and goes on from there
    assert server.asked[-1] == ("/a", "bytes=40-")


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(".*") if path.name != ".downloading")


def test_a_file_arrives_whole(tmp_path: Path, server: Server, capsys) -> None:
    get(tmp_path / "a.pth", server("a", WEIGHTS), sha256=SHA256)
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS
    assert leftovers(tmp_path) == []
    assert "a.pth: 0.2 of 0.2 MB (100 %)" in capsys.readouterr().err


def test_redirects_and_unknown_lengths_are_followed(tmp_path: Path, server: Server) -> None:
    real = server("real", WEIGHTS, lengthless=True)
    get(tmp_path / "a.pth", server("a", move=real.url), sha256=SHA256)
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS


def test_a_broken_connection_goes_on_where_it_broke(tmp_path: Path, server: Server) -> None:
    get(tmp_path / "a.pth", server("a", WEIGHTS, break_after=90_000), sha256=SHA256)
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS
    assert [wanted for _, wanted in server.asked] == ["", "bytes=90000-", "bytes=180000-"]


def test_what_has_come_survives_the_program(tmp_path: Path, server: Server) -> None:
    source = server("a", WEIGHTS, break_after=50_000)
    part = tmp_path / f".a.pth.{hashlib.sha256(source.url.encode()).hexdigest()[:8]}.part"
    part.write_bytes(WEIGHTS[:200_000])
    part.with_suffix(".json").write_text(json.dumps({"validator": '"1"', "total": SIZE}))
    get(tmp_path / "a.pth", source, sha256=SHA256)
    assert server.asked == [("/a", "bytes=200000-")]
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("how", [{"ranges": False}, {"tag": '"2"'}])
def test_a_server_that_starts_over_is_understood(tmp_path: Path, server: Server, how) -> None:
    source = server("a", WEIGHTS, **how)
    part = tmp_path / f".a.pth.{hashlib.sha256(source.url.encode()).hexdigest()[:8]}.part"
    part.write_bytes(b"other bytes of an older file")
    part.with_suffix(".json").write_text('{"validator": "\\"1\\""}')
    get(tmp_path / "a.pth", source, sha256=SHA256)
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS


def test_more_than_the_server_has_is_thrown_away(tmp_path: Path, server: Server) -> None:
    source = server("a", WEIGHTS)
    part = tmp_path / f".a.pth.{hashlib.sha256(source.url.encode()).hexdigest()[:8]}.part"
    part.write_bytes(WEIGHTS + b"more")
    get(tmp_path / "a.pth", source, sha256=SHA256)
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ({"body": WEIGHTS[:-1] + b"x"}, "its sha256 is"),
        ({"body": WEIGHTS + b"x"}, "204,816 bytes instead of 204,815"),
        ({"body": PAGE}, "a web page was sent instead: Google Drive - Quota exceeded"),
        ({"body": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"}, "Git LFS"),
        ({"body": b'{"error":"Repository not found"}'}, "error message"),
        ({"body": LEGACY + bytes(490)}, "505 bytes instead of 204,815"),
        ({"body": b"x" * len(WEIGHTS)}, "not a checkpoint"),
        ({"body": archive(cow=WEIGHTS) + b""}, "instead of 204,815"),
        ({"body": b"x" * 3_000_000}, "far more than"),
        ({"body": b"x" * 3_000_000, "lengthless": True}, "far longer than"),
        ({"body": b""}, "nothing was sent"),
        ({"body": b"gone", "status": 404}, "404"),
        ({"body": b"busy", "status": 503}, "503"),
        ({"move": "ftp://127.0.0.1:1/a"}, "unknown url type: ftp"),
        ({"move": "file:///etc/hostname"}, "302"),
        ({"move": "/mirror"}, "redirect"),
    ],
)
def test_the_next_mirror_is_tried(
    tmp_path: Path, server: Server, capsys, first: dict, reason: str
) -> None:
    bad = server("mirror", **first)
    get(tmp_path / "a.pth", bad, server("good", WEIGHTS), sha256=SHA256)
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS
    assert reason in capsys.readouterr().err
    assert leftovers(tmp_path) == []


def test_a_decoy_is_known_by_its_size_alone(tmp_path: Path, server: Server) -> None:
    window = (len(WEIGHTS) - 100, len(WEIGHTS) + 100)
    with pytest.raises(UserError, match="507 bytes instead of about 204,715: a decoy"):
        get(tmp_path / "a.pth", server("a", LEGACY + bytes(492)), size=window)


def test_an_estimated_size_only_warns(tmp_path: Path, server: Server, capsys) -> None:
    get(tmp_path / "a.pth", server("a", WEIGHTS), size=(len(WEIGHTS) + 1, len(WEIGHTS) + 9))
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS
    assert "warning: 204,815 bytes, but 204,816 to 204,824" in capsys.readouterr().err


def test_nothing_reachable_is_one_message_that_says_what_to_do(
    tmp_path: Path, server: Server
) -> None:
    sources = [server("a", PAGE), Source(f"{server.url}/none"), Source("http://127.0.0.1:1/a")]
    with pytest.raises(UserError) as raised:
        get(tmp_path / "models" / "coco" / "a.pth", *sources)
    message = str(raised.value)
    assert f"put it into the folder {tmp_path / 'models' / 'coco'}/" in message
    for source, reason in zip(sources, ("web page", "404", "Connection refused"), strict=True):
        assert f"  {source.url}\n    " in message and reason in message
    assert not (tmp_path / "models" / "coco" / "a.pth").exists()


def test_the_first_download_is_remembered(tmp_path: Path, server: Server) -> None:
    lock = tmp_path / "fetched.lock"
    get(tmp_path / "a.pth", server("a", WEIGHTS), lock=lock)
    assert lock.read_text() == f"{SHA256}  a.pth\n"
    (tmp_path / "a.pth").unlink()
    other = server("b", WEIGHTS[:-1] + b"x")
    with pytest.raises(UserError, match=f"fetched.lock remembers {SHA256}"):
        get(tmp_path / "a.pth", other, lock=lock)
    get(tmp_path / "a.pth", other, server("a", WEIGHTS), lock=lock)
    assert lock.read_text() == f"{SHA256}  a.pth\n"


def test_git_blob_ids_are_checked(tmp_path: Path, server: Server) -> None:
    assert digests(__file__)["sha256"] == hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    (tmp_path / "hello").write_bytes(b"hello\n")  # as `git hash-object` says
    assert digests(tmp_path / "hello")["git_blob"] == "ce013625030ba8dba906f756967f9e9ca394464a"
    with pytest.raises(UserError, match="its git_blob is"):
        get(tmp_path / "a.pth", server("a", WEIGHTS), git_blob="0" * 40)


CONFIRM = b"""<!DOCTYPE html><html><title>Virus scan warning</title>
<form id="download-form" action="/download" method="get">
<input type="hidden" name="id" value="1"><input type="hidden" name="confirm" value="t">
<input type="hidden" name="uuid" value="u-1"></form></html>"""


def test_google_drives_question_is_answered(tmp_path: Path, server: Server) -> None:
    server("download?id=1&confirm=t&uuid=u-1", WEIGHTS)
    get(tmp_path / "a.pth", server("file", CONFIRM), sha256=SHA256)
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS


def test_a_question_that_leads_elsewhere_is_not_answered(tmp_path: Path, server: Server) -> None:
    away = CONFIRM.replace(b'"/download"', b'"http://localhost:1/download"')
    with pytest.raises(UserError, match="web page was sent instead: Virus scan warning"):
        get(tmp_path / "a.pth", server("file", away))
    server("download?id=1&confirm=t&uuid=u-1", CONFIRM)
    with pytest.raises(UserError, match="again and again"):
        get(tmp_path / "a.pth", server("file", CONFIRM))


def bundle(folder: Path, files: dict) -> Path:
    description = {"official": {"parts": {}, "files": files}}
    (folder / "bundle.yaml").write_text(yaml.safe_dump(description))
    return folder


def test_an_archive_of_two_files_is_downloaded_once(tmp_path: Path, server: Server) -> None:
    zipped = server("z.zip", archive(**{"in/a.pkl": WEIGHTS, "b.pkl": WEIGHTS + b"b"}))
    files = {
        name: {"kind": "checkpoint", "sources": [{"url": zipped.url, "member": member}]}
        for name, member in (("a.pth", "in/a.pkl"), ("b.pth", "b.pkl"))
    }
    folder = bundle(tmp_path, files)
    fetch_original(folder / "a.pth")
    fetch_original(folder / "b.pth")
    assert (folder / "a.pth").read_bytes() == WEIGHTS
    assert (folder / "b.pth").read_bytes() == WEIGHTS + b"b"
    assert len(server.asked) == 1
    assert leftovers(folder) == []
    assert [line.split()[1] for line in (folder / "fetched.lock").read_text().splitlines()] == [
        "a.pth",
        "b.pth",
    ]


def damaged(method: int) -> bytes:
    """An archive whose member cannot be unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        file.writestr("a.pkl", WEIGHTS)
    content = bytearray(buffer.getvalue())
    content[60:90] = bytes(30)
    return bytes(content)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (archive(b=b"1"), "holds no a.pkl"),
        (archive(**{"a.pkl": WEIGHTS})[:-40], "archive there is damaged"),
        (PAGE, "web page"),
        (archive(**{"a.pkl": b"short"}), "5 bytes instead of"),
        (archive(**{"a.pkl": bytes(3 << 20)}), "far longer than what is wanted"),
        (damaged(zipfile.ZIP_BZIP2), "archive there is damaged"),
        (damaged(zipfile.ZIP_LZMA), "archive there is damaged"),
        (damaged(zipfile.ZIP_DEFLATED), "archive there is damaged"),
    ],
)
def test_a_bad_archive_is_no_file(tmp_path: Path, server: Server, body: bytes, reason: str) -> None:
    source = Source(server("z.zip", body).url, "a.pkl")
    with pytest.raises(UserError, match=reason):
        get(tmp_path / "a.pth", source)
    assert not (tmp_path / "a.pth").exists()
    server("z.zip", archive(**{"a.pkl": WEIGHTS}))  # mended later on
    get(tmp_path / "a.pth", source)
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS
    assert leftovers(tmp_path) == []


def test_a_file_that_lies_there_is_never_downloaded_over(tmp_path: Path, server: Server) -> None:
    source = {"url": server("a", WEIGHTS).url}
    folder = bundle(tmp_path, {"a.pth": {"kind": "checkpoint", "sources": [source]}})
    (folder / "a.pth").write_bytes(b"mine")
    fetch_original(folder / "a.pth")
    assert (folder / "a.pth").read_bytes() == b"mine" and server.asked == []


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path: Path, server: Server) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        get(tmp_path / "file" / "a.pth", server("a", WEIGHTS))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("[" * 100_000, "nested"),
        ("official: 3", "official"),
        ("official: {parts: [a], files: {}}", "official.parts"),
        ("official: {parts: {captioner: 5}, files: {}}", "official.parts.captioner"),
        ("official: {parts: {captioner: [../../a]}, files: {}}", "official.parts.captioner.0"),
        ("official: {parts: {captioner: [a.pth]}, files: {}}", "a.pth, which official.files lacks"),
        ("official: {parts: {}, files: {a: {kind: pickle, sources: [{url: 'ftp://a'}]}}}", "url"),
        ("- 1", ""),
        ("", ""),
        ("a: \0", "not YAML"),
    ],
)
def test_a_broken_bundle_yaml_is_left_out_of_what_is_published(
    tmp_path: Path, said: str, reason: str
) -> None:
    for name in ("broken", "sound"):
        (tmp_path / name).mkdir()
    files = {"a.pth": {"kind": "checkpoint", "sources": [{"url": "http://127.0.0.1:1/a"}]}}
    sound = {"official": {"parts": {"generator": ["a.pth"]}, "files": files}}
    (tmp_path / "sound" / "bundle.yaml").write_text(yaml.safe_dump(sound))
    (tmp_path / "broken" / "bundle.yaml").write_text(said)
    path = str(tmp_path / "sound" / "a.pth")
    assert published(tmp_path) == {"sound": {"generator": [path]}}
    assert missing(tmp_path) == [path]
    if reason:
        with pytest.raises(UserError, match=f"broken/bundle.yaml.*{reason}"):
            originals(tmp_path / "broken")


def test_every_source_of_the_official_files_is_described() -> None:
    files = originals(Path(__file__).parent.parent / "models" / "coco")
    assert len(files) == 7
    assert all(original.sources for original in files.values())
    assert files["vocab.pkl"].size == 360187
    assert files["coco_AttnGAN2.pth"].size == (55476700, 55488200)


def test_a_download_killed_anywhere_is_whole_or_not_there(tmp_path: Path, server: Server):
    source = server("weights", WEIGHTS)
    lock = tmp_path / "fetched.lock"

    def look() -> None:
        assert not (tmp_path / "a.pth").exists() or (tmp_path / "a.pth").read_bytes() == WEIGHTS
        assert not lock.exists() or lock.read_text().endswith("  a.pth\n")

    def work() -> None:
        if not (tmp_path / "a.pth").exists():
            get(tmp_path / "a.pth", source, lock=lock)

    assert kill_before_each_file_operation(tmp_path, work, look) > 6
    assert (tmp_path / "a.pth").read_bytes() == WEIGHTS
    # Killed after it was renamed, it leaves the note of where it came from.
    assert all(name.endswith(".json") for name in leftovers(tmp_path))
