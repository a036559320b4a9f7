"""Models from a hub: at one commit, whole and checked, or one message that says what to do."""

import errno
import hashlib
import json
import shutil
import subprocess
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from hubs import Hub, serving
from killing import kill_before_each_file_operation

from scripts import hub
from scripts.errors import UserError

WEIGHTS = bytes(range(256)) * 6000
FILES = {
    "config.json": b'{"model_type": "blip"}',
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"a pickle",
    "README.md": b"a card",
}
NEEDED = ["config.json", "model.safetensors"]


def choose(names: list[str], read) -> list[str]:
    """Which files a player needs, in these tests."""
    read("config.json")
    if "model.safetensors" not in names:
        raise hub.NoSafetensors("it has no model.safetensors")
    return NEEDED


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        for name, value in (("PAUSE", 0.001), ("TIMEOUT", 5.0)):
            monkeypatch.setattr(hub, name, value)
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models" / "modern" / "captioner"


def fetch(folder: Path, model: str = "org/seer", revision: str | None = None) -> hub.Snapshot:
    hub.fetch(model, revision, folder, choose)
    return hub.fetched(folder, model, revision)


def refused(folder: Path, *what) -> str:
    """What the person is told: one message, and nothing is listed as fetched."""
    with pytest.raises(UserError) as raised:
        fetch(folder, *what)
    message = str(raised.value)
    assert message.startswith(f"{folder.parent}/bundle.yaml: captioner: the model ")
    assert "`model: /data/" in message and len(message.splitlines()) == 2
    assert not (folder / "fetched.json").exists()
    return message


def test_what_is_needed_arrives_whole_and_nothing_else(served: Hub, folder: Path, capsys) -> None:
    commit = served.model("org/seer", FILES).names["main"]
    found = fetch(folder)
    assert found.commit == commit and found.folder == folder / commit
    assert sorted(path.name for path in found.folder.iterdir()) == NEEDED
    assert all(path.read_bytes() == FILES[path.name] for path in found.paths)
    assert found.digests() == {name: hashlib.sha256(FILES[name]).hexdigest() for name in NEEDED}
    assert set(served.files_asked) == set(NEEDED)
    said = capsys.readouterr().err
    assert f"org/seer: 1.5 MB from {served.url} at commit {commit[:8]}" in said
    assert "captioner/model.safetensors: 1.5 of 1.5 MB (100 %)" in said


def test_the_list_names_model_commit_sizes_and_digests(served: Hub, folder: Path) -> None:
    commit = served.model("org/seer", FILES).names["main"]
    fetch(folder)
    listed = json.loads((folder / "fetched.json").read_text())
    assert (listed["model"], listed["revision"], listed["commit"]) == ("org/seer", "main", commit)
    assert listed["files"]["model.safetensors"] == {
        "size": len(WEIGHTS),
        "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
    }


def test_the_newest_is_resolved_once_noted_and_kept(served: Hub, folder: Path) -> None:
    model = served.model("org/seer", FILES)
    first = fetch(folder).commit
    lock = folder.parent / "fetched.lock"
    assert f"# captioner: org/seer main {first}\n" in lock.read_text()
    model.commit({**FILES, "config.json": b"{}"})
    shutil.rmtree(folder)
    assert fetch(folder).commit == first
    lock.unlink()
    shutil.rmtree(folder)
    assert fetch(folder).commit == model.names["main"] != first


def test_the_lock_is_one_that_sha256sum_checks(served: Hub, folder: Path) -> None:
    served.model("org/seer", FILES)
    fetch(folder)
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "fetched.lock"],
        cwd=folder.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout.count(": OK") == 2, done.stderr


def test_a_lock_that_is_shared_fetches_the_same(served: Hub, folder: Path, tmp_path: Path) -> None:
    served.model("org/seer", FILES)
    first = fetch(folder)
    served.models["org/seer"].commit({**FILES, "config.json": b"{}"})
    other = tmp_path / "clone" / "models" / "modern" / "captioner"
    other.parent.mkdir(parents=True)
    shutil.copy(folder.parent / "fetched.lock", other.parent)
    assert fetch(other).digests() == first.digests()


@pytest.mark.parametrize("name", ["v1", "refs/pr/7", "a commit"])
def test_a_revision_is_obeyed(served: Hub, folder: Path, name: str) -> None:
    model = served.model("org/seer", FILES)
    old = model.commit({**FILES, "config.json": b'{"old": true}'}, name)
    model.commit({**FILES, "config.json": b"{}"})
    found = fetch(folder, revision=old if name == "a commit" else name)
    assert found.commit == old
    assert (found.folder / "config.json").read_bytes() == b'{"old": true}'


def test_another_revision_is_another_folder_and_the_old_one_stays(
    served: Hub, folder: Path
) -> None:
    model = served.model("org/seer", FILES)
    first = fetch(folder)
    model.commit({**FILES, "config.json": b"{}"}, "v2")
    second = fetch(folder, revision="v2")
    assert second.commit != first.commit
    assert first.digests() != second.digests()
    assert all(path.exists() for path in (*first.paths, *second.paths))


def test_once_all_is_here_the_network_is_never_asked(served: Hub, folder: Path) -> None:
    served.model("org/seer", FILES)
    fetch(folder)
    (folder / "fetched.json").unlink()
    served.asked.clear()
    fetch(folder)
    assert served.asked == []


def test_a_file_that_was_lost_or_damaged_is_fetched_again(served: Hub, folder: Path) -> None:
    served.model("org/seer", FILES)
    found = fetch(folder)
    weights = found.folder / "model.safetensors"
    for harm in (weights.unlink, lambda: weights.write_bytes(b"x" * len(WEIGHTS))):
        harm()
        with pytest.raises(UserError, match="Delete .*fetched.json and run the same command again"):
            found.digests()
        served.asked.clear()
        fetch(folder).digests()
        assert served.files_asked == ["model.safetensors"]


def test_a_broken_connection_goes_on_where_it_broke(served: Hub, folder: Path) -> None:
    served.model("org/seer", FILES)
    served.break_after = 700_000
    assert fetch(folder).digests()
    stored = [wanted for path, wanted, _ in served.asked if path.startswith("/stored/")]
    assert stored == ["", "bytes=700000-", "bytes=1400000-"]


def test_what_has_come_survives_the_program(served: Hub, folder: Path) -> None:
    commit = served.model("org/seer", FILES).names["main"]
    (folder / commit).mkdir(parents=True)
    (folder / commit / ".model.safetensors.part").write_bytes(WEIGHTS[:1_000_000])
    assert fetch(folder).digests()
    assert [wanted for path, wanted, _ in served.asked if "stored" in path] == ["bytes=1000000-"]
    assert sorted(path.name for path in (folder / commit).iterdir()) == NEEDED


def test_a_server_without_ranges_starts_over(served: Hub, folder: Path) -> None:
    commit = served.model("org/seer", FILES).names["main"]
    served.ranges = False
    (folder / commit).mkdir(parents=True)
    (folder / commit / ".model.safetensors.part").write_bytes(b"other bytes")
    assert fetch(folder).digests()


def test_what_the_hubs_own_cache_holds_is_not_fetched(
    served: Hub, folder: Path, tmp_path: Path
) -> None:
    from huggingface_hub import hf_hub_download

    served.model("org/seer", FILES)
    hf_hub_download(
        "org/seer", "model.safetensors", endpoint=served.url, cache_dir=tmp_path / "cache"
    )
    served.asked.clear()
    assert fetch(folder).digests()
    assert "model.safetensors" not in served.files_asked


def test_a_download_killed_anywhere_is_whole_or_not_there(served: Hub, folder: Path) -> None:
    served.model("org/seer", {**FILES, "model.safetensors": b"few bytes"})

    def look() -> None:
        if (folder / "fetched.json").exists():
            assert len(hub.fetched(folder, "org/seer").digests()) == 2

    def work() -> None:
        if not (folder / "fetched.json").exists():
            fetch(folder)

    folder.mkdir(parents=True)
    assert kill_before_each_file_operation(folder.parent, work, look) > 6
    assert hub.fetched(folder, "org/seer").digests()


def test_what_was_fetched_for_another_model_is_not_taken_for_it(served: Hub, folder: Path) -> None:
    served.model("org/seer", FILES)
    fetch(folder)
    for other in (("org/other", None), ("org/seer", "v2")):
        with pytest.raises(
            UserError, match="fetched.json is of org/seer at main. Delete that file"
        ):
            hub.fetched(folder, *other)


# --- what can go wrong


def test_a_gated_model_says_how_to_get_in(served: Hub, folder: Path, monkeypatch) -> None:
    served.model("org/seer", FILES, gated=True, token="hf_mine")
    for token in ("", "hf_other"):
        monkeypatch.setenv("HF_TOKEN", token)
        message = refused(folder)
        assert f"org/seer is gated: accept its terms at {served.url}/org/seer" in message
        assert "hf auth login" in message and "HF_TOKEN" in message
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    assert fetch(folder).digests()


def test_a_token_is_shown_to_the_hub_alone(served: Hub, folder: Path, monkeypatch) -> None:
    served.model("org/seer", FILES, gated=True, token="hf_mine")
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    fetch(folder)
    assert all(token == (not path.startswith("/stored/")) for path, _, token in served.asked)


@pytest.mark.parametrize("token", ["", "hf_other"])
def test_a_missing_or_private_model_says_so(served: Hub, folder: Path, monkeypatch, token) -> None:
    served.model("org/seer", FILES, private=True, token="hf_mine")
    monkeypatch.setenv("HF_TOKEN", token)
    for name in ("org/seer", "org/nothing"):
        message = refused(folder, name)
        assert f"{name} is not at {served.url}/{name}, or it is private" in message


def test_a_missing_revision_says_where_to_look(served: Hub, folder: Path) -> None:
    served.model("org/seer", FILES)
    for revision in ("v9", "0" * 40):
        message = refused(folder, "org/seer", revision)
        assert f"has no revision {revision}: see {served.url}/org/seer/commits" in message


def test_a_model_without_safetensors_says_where_they_are(served: Hub, folder: Path) -> None:
    bare = {name: body for name, body in FILES.items() if name != "model.safetensors"}
    served.model("org/seer", bare, conversion=7)
    message = refused(folder)
    assert "it has no model.safetensors." in message and "`revision: refs/pr/7`" in message
    served.models["org/seer"].conversion = 0
    assert "revision: refs" not in refused(folder)
    served.models["org/seer"].commit(FILES, "refs/pr/7")
    assert fetch(folder, revision="refs/pr/7").digests()


def test_no_network_says_that_one_is_needed(folder: Path, served: Hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    message = refused(folder)
    assert "could not be fetched from http://127.0.0.1:1" in message
    assert "the same command goes on where this one stopped" in message


def test_a_network_that_breaks_off_keeps_what_has_come(served: Hub, folder: Path) -> None:
    commit = served.model("org/seer", FILES).names["main"]
    fetch(folder)
    (folder / "fetched.json").unlink()
    (folder / commit / "model.safetensors").unlink()
    served.status = 503
    message = refused(folder)
    assert "answered 503. Try again later." in message and "What has come so far is kept" in message
    served.status, served.break_after = 0, 0
    served.asked.clear()
    fetch(folder)
    assert served.files_asked == ["model.safetensors"]


def test_offline_mode_says_how_to_leave_it(served: Hub, folder: Path, monkeypatch) -> None:
    served.model("org/seer", FILES)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE forbids to fetch it" in refused(folder)
    assert served.asked == []


@pytest.mark.parametrize(("status", "words"), [(403, "refused to you (403)"), (429, "fewer calls")])
def test_a_refusal_says_what_to_do(served: Hub, folder: Path, status: int, words: str) -> None:
    served.status = status
    assert words in refused(folder)


@pytest.mark.parametrize("answer", [b"<html>a portal</html>", b"[]", b'{"sha": null}', b'{"a": 1}'])
def test_what_is_no_hub_is_known_as_none(served: Hub, folder: Path, answer: bytes) -> None:
    served.answer = answer
    assert "does not answer as a hub does" in refused(folder)


def test_bytes_that_drip_are_given_up(served: Hub, folder: Path, monkeypatch) -> None:
    commit = served.model("org/seer", {**FILES, "model.safetensors": WEIGHTS[:5000]}).names["main"]
    fetch(folder)
    (folder / "fetched.json").unlink()
    (folder / commit / "model.safetensors").unlink()
    served.drip = True
    monkeypatch.setattr(hub, "PATIENCE", 0.2)
    assert "bytes a second come" in refused(folder)
    assert (folder / commit / ".model.safetensors.part").stat().st_size > 0


def test_an_answer_that_drips_is_given_up(served: Hub, folder: Path, monkeypatch) -> None:
    served.model("org/seer", {f"{n}.json": b"{}" for n in range(50)})
    served.drip = True
    monkeypatch.setattr(hub, "TIMEOUT", 0.3)
    assert "no whole answer within 0.3 seconds" in refused(folder)


def test_a_disk_that_is_too_small_is_known_before(served: Hub, folder: Path, monkeypatch) -> None:
    served.model("org/seer", FILES)
    usage = namedtuple("usage", "total used free")(10, 10, 1_000_000)
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda _: usage)
    message = refused(folder)
    assert f"does not fit on the disk of {folder} (2 MB are to come, and 1 MB free)" in message
    assert "model.safetensors" not in served.files_asked


def test_a_disk_that_fills_up_keeps_what_has_come(served: Hub, folder: Path, monkeypatch) -> None:
    served.model("org/seer", FILES)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(hub.os, "fsync", full)
        assert "(No space left on device): make room there" in refused(folder)
    assert fetch(folder).digests()


def test_other_bytes_than_promised_are_refused(served: Hub, folder: Path) -> None:
    served.model("org/seer", FILES)
    served.change = {"config.json": b'{"model_type": "clip"}'}
    assert "config.json came with other bytes than the hub's list promises" in refused(folder)
    served.change = {"model.safetensors": WEIGHTS[:-1] + b"x"}
    assert "model.safetensors came with other bytes" in refused(folder)
    served.change = {}
    assert fetch(folder).digests()


def test_other_bytes_than_the_lock_remembers_are_refused(served: Hub, folder: Path) -> None:
    model = served.model("org/seer", FILES)
    commit = fetch(folder).commit
    shutil.rmtree(folder)
    model.commits[commit] = {**FILES, "model.safetensors": WEIGHTS[:-1] + b"x"}
    message = refused(folder)
    assert f"other bytes than {folder.parent / 'fetched.lock'} promises" in message


def test_a_file_that_leads_out_of_the_folder_is_refused(served: Hub, folder: Path) -> None:
    served.model("org/seer", {**FILES, "../../stray.json": b"{}"})
    with pytest.raises(UserError, match="leads out of its folder"):
        hub.fetch("org/seer", None, folder, lambda names, read: names)
    assert not (folder.parent / "stray.json").exists()


def test_a_damaged_description_is_one_message(served: Hub, folder: Path) -> None:
    served.model("org/seer", {**FILES, "config.json": b"{"})
    assert "config.json is damaged" in refused(folder)


# --- a folder of one's own


def test_a_folder_of_ones_own_is_used_as_it_is(tmp_path: Path) -> None:
    for name, body in FILES.items():
        (tmp_path / name).write_bytes(body)
    found = hub.own(str(tmp_path), choose)
    assert found.commit is None and [path.name for path in found.paths] == NEEDED
    assert set(found.digests()) == set(NEEDED)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UserError, match="model.safetensors: missing. Put it back"):
        found.digests()
    with pytest.raises(UserError, match="it has no model.safetensors"):
        hub.own(str(tmp_path), choose)
    with pytest.raises(UserError, match="there is no such folder"):
        hub.own(str(tmp_path / "none"), choose)


@pytest.mark.parametrize(
    ("model", "folder"),
    [("/data/sd15", True), ("./sd15", True), ("../sd15", True), ("~/sd15", True), ("a/b", False)],
)
def test_a_name_means_a_folder_only_if_it_looks_like_a_path(model: str, folder: bool) -> None:
    assert hub.is_folder(model) == folder
