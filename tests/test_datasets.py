"""Lists of captions as people have them: what is harmless is read, what is not is named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from scripts.errors import UserError
from scripts.training import annotations, pictures
from scripts.training.dataset import CaptionedPictures
from scripts.training.pictures import Pictures
from scripts.training.recipe import Dataset

GOOD = [
    {"picture": "0.png", "captions": ["a red ball", "there is a ball"]},
    {"picture": "in/1.png", "captions": ["a blue ball"]},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures."""
    (tmp_path / "d" / "in").mkdir(parents=True)
    for name, colour in (("0.png", "red"), ("in/1.png", "blue")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / "d" / name)
    return tmp_path / "d"


def lines(*records: object) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def read(folder: Path, content: bytes) -> list[dict]:
    (folder / "captions.jsonl").write_bytes(content)
    return annotations.read(folder)


def captions(folder: Path, *told: object) -> list[str]:
    return read(folder, lines({"picture": "0.png", "captions": list(told)}))[0]["captions"]


HARMLESS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda content: content,
    "a byte order mark": lambda content: b"\xef\xbb\xbf" + content,
    "line ends of Windows": lambda content: content.replace(b"\n", b"\r\n"),
    "blank lines": lambda content: b"\n \n" + content.replace(b"\n", b"\n\n") + b"\t\n",
    "no line end": lambda content: content.rstrip(),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_is_harmless_in_a_list_is_read(change: Callable, folder: Path):
    assert read(folder, change(lines(*GOOD))) == GOOD


def test_line_separators_inside_a_caption_do_not_end_a_line(folder: Path):
    said = [f"a red{space}ball" for space in "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\xa0\t\n"]
    record = {"picture": "0.png", "captions": said}
    text = json.dumps(record, ensure_ascii=False) + "\n" + json.dumps(GOOD[1]) + "\n"
    assert read(folder, text.encode())[0]["captions"] == ["a red ball"] * len(said)


def test_captions_are_sentences_whatever_they_are_written_as(folder: Path):
    """A caption that is no list is one caption; HTML's characters are what they stand for."""
    one = read(folder, lines({"picture": "0.png", "captions": "a red ball"}))
    assert one[0]["captions"] == ["a red ball"]
    assert captions(folder, " a  &quot;red&quot; ball &amp; AT&T &#38; &nosuch;") == [
        'a "red" ball & AT&T & &nosuch;'
    ]
    assert captions(folder, "", "a ball", "   ") == ["a ball"]
    assert captions(folder, "une balle déjà rouge 🎈") == ["une balle déjà rouge 🎈"]


WRONG = {
    "null": ({"captions": [None]}, "not null"),
    "a number": ({"captions": [7]}, "not 7"),
    "true": ({"captions": [True]}, "not true"),
    "words": ({"captions": [["a", "red", "ball"]]}, "list of words"),
    "no captions": ({"captions": []}, "empty"),
    "empty captions": ({"captions": ["", "  "]}, "empty"),
    "captions that are null": ({"captions": None}, "list of sentences"),
    "an object": ({"captions": {"en": "a ball"}}, "list of sentences"),
    "half of a character": ({"captions": ["a ball \ud83d"]}, "half of a character"),
    "a NUL": ({"captions": ["a\0ball"]}, "control characters"),
    "a book": ({"captions": ["ball " * 3000]}, "15,000 characters"),
    "a picture's number": ({"picture": 7}, "name of a file"),
    "no such picture": ({"picture": "nowhere.png"}, "nowhere.png is not in"),
    "a backslash": ({"picture": "in\\1.png"}, "write / between folders"),
    "above": ({"picture": "../d/0.png"}, "inside of"),
    "elsewhere": ({"picture": "/etc/passwd"}, "inside of"),
    "a folder": ({"picture": "in"}, "not a file"),
    "a NUL in a name": ({"picture": "0.png\0"}, "name of a file"),
    "a weight of nothing": ({"weight": 0}, "above 0"),
    "a weight in words": ({"weight": "often"}, "above 0"),
    "a weight without end": ({"weight": float("inf")}, "JSON"),
    "codes of text": ({"codes": ["1"]}, "whole numbers"),
    "codes below 0": ({"codes": [-1]}, "whole numbers"),
    "codes that are true": ({"codes": [True]}, "whole numbers"),
    "boxes out of the picture": ({"boxes": [[0, 0, 1.2, 1]]}, "from 0 to 1"),
    "boxes in pixels": ({"boxes": [[10, 10, 20, 20]]}, "from 0 to 1"),
    "boxes inside out": ({"boxes": [[0.5, 0, 0.2, 1]]}, "left, top"),
    "boxes of three": ({"boxes": [[0, 0, 1]]}, "left, top"),
    "one box": ({"boxes": [0, 0, 1, 1]}, "left, top"),
}


@pytest.mark.parametrize(("change", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_in_a_record_is_named_by_its_line(change: dict, told: str, folder: Path):
    record = {**GOOD[0], **change}
    with pytest.raises(UserError, match=r"captions\.jsonl, line 2: ") as caught:
        read(folder, lines(GOOD[1], record))
    assert told in str(caught.value) and len(str(caught.value).splitlines()) == 1


BROKEN = {
    "latin-1": ('{"picture": "0.png", "captions": ["déjà"]}'.encode("latin-1"), "not UTF-8"),
    "no JSON": (b'{"picture": "0.png", ', "not JSON"),
    "NaN": (b'{"picture": "0.png", "captions": [NaN]}', "NaN"),
    "a list": (b"[1]", "expected"),
    "null": (b"null", "expected"),
    "nothing": (b"{}", "expected"),
    "deeply nested": (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
    "two in a line": (lines(GOOD[0]).strip() * 2, "not JSON"),
}


@pytest.mark.parametrize(("line", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_named(line: bytes, told: str, folder: Path):
    with pytest.raises(UserError, match=r"captions\.jsonl, line 3: ") as caught:
        read(folder, lines(*GOOD) + line + b"\n")
    assert told in str(caught.value)


def test_many_faults_are_told_at_once_but_not_all(folder: Path):
    with pytest.raises(UserError) as caught:
        read(folder, b"{}\n" * 100)
    told = str(caught.value).splitlines()
    assert "line 1:" in told[0] and "line 5:" in told[4] and "more such" in told[5]
    assert len(told) == 6


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_list_is_refused(content: bytes, folder: Path):
    with pytest.raises(UserError, match="nothing to learn from"):
        read(folder, content)


def test_utf_16_is_told(folder: Path):
    with pytest.raises(UserError, match="UTF-16"):
        read(folder, lines(*GOOD).decode().encode("utf-16"))


def test_links_lead_to_pictures_inside_of_the_folder_only(folder: Path):
    (folder / "link.png").symlink_to("in/1.png")
    assert read(folder, lines({**GOOD[0], "picture": "link.png"}))
    Image.new("RGB", (8, 8)).save(folder.parent / "outside.png")
    (folder / "out.png").symlink_to(folder.parent / "outside.png")
    (folder / "away").symlink_to(folder.parent)
    for name in ("out.png", "away/outside.png"):
        with pytest.raises(UserError, match="leads out of"):
            read(folder, lines({**GOOD[0], "picture": name}))
    linked = folder.parent / "linked"
    linked.symlink_to(folder)
    assert read(linked, lines(*GOOD)) == GOOD


# --- COCO


def coco(folder: Path, **changes: object) -> list[dict]:
    said = {
        "images": [{"id": 1, "file_name": "0.png"}, {"id": 2, "file_name": "in/1.png"}],
        "annotations": [{"image_id": 1, "caption": "a ball "}, {"image_id": 2, "caption": "a cat"}],
    }
    path = folder.parent / "coco.json"
    path.write_text(json.dumps(said | changes))
    return annotations.read(folder, path)


TOLD = [
    {"picture": "0.png", "captions": ["a ball"]},
    {"picture": "in/1.png", "captions": ["a cat"]},
]


@pytest.mark.parametrize("number", [1, "1", 1.0, " 1 "])
def test_ids_are_numbers_or_texts(number: object, folder: Path):
    images = [{"id": number, "file_name": "0.png"}, {"id": "2", "file_name": "in/1.png"}]
    assert coco(folder, images=images) == TOLD


def test_pictures_without_captions_are_left_out(folder: Path):
    said = [{"image_id": 1, "caption": "a ball"}, {"image_id": 2, "caption": "  "}]
    assert coco(folder, annotations=said) == TOLD[:1]


def test_an_image_that_is_told_twice_is_one_unless_it_has_two_names(folder: Path):
    twice = [{"id": 1, "file_name": "0.png"}] * 2
    assert coco(folder, images=twice) == TOLD[:1]
    with pytest.raises(UserError, match=r"images\[1\]: the id 1 is 0\.png's already"):
        coco(folder, images=[*twice[:1], {"id": "1", "file_name": "in/1.png"}])


COCO_WRONG = {
    r"images\[0\]: .*nowhere": {"images": [{"id": 1, "file_name": "nowhere.png"}]},
    r"images\[0\]: .*inside of": {"images": [{"id": 1, "file_name": "../d/0.png"}]},
    r"images\[0\]: .*file_name": {"images": [{"id": 1}]},
    r"images\[0\]: `id` must be": {"images": [{"id": None, "file_name": "0.png"}]},
    r"annotations\[0\]: .*not null": {"annotations": [{"image_id": 1, "caption": None}]},
    r"annotations\[1\]: .*`caption`": {"annotations": [{"image_id": 1, "caption": "x"}, {}]},
    r"annotations\[0\]: .*list of words": {"annotations": [{"image_id": 1, "caption": ["x"]}]},
    "no picture has a caption": {"annotations": [{"image_id": 9, "caption": "a ball"}]},
    ".*COCO's form": {"images": None},
}


@pytest.mark.parametrize(("told", "change"), COCO_WRONG.items(), ids=range(len(COCO_WRONG)))
def test_what_is_wrong_in_cocos_list_is_named_by_its_place(told: str, change: dict, folder: Path):
    with pytest.raises(UserError, match=rf"coco\.json(, |: ){told}"):
        coco(folder, **change)


# --- pictures


def test_a_digest_is_of_what_is_in_the_pictures(folder: Path):
    names = ["0.png", "in/1.png"]
    before = Pictures(folder, names).digest()
    (folder / "0.png").touch()
    assert Pictures(folder, names).digest() == before
    assert Pictures(folder, names[:1]).digest() != before
    Image.new("RGB", (8, 8), "green").save(folder / "0.png")
    assert Pictures(folder, names).digest() != before


def test_a_picture_is_read_and_decoded_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path(".snakemake").mkdir()
    names = ["0.png", "in/1.png"]
    Pictures(folder, names).check()
    digest = Pictures(folder, names).digest()
    read = []
    monkeypatch.setattr(pictures, "open_picture", lambda path: read.append(Path(path).name))
    monkeypatch.setattr(pictures.hashlib, "file_digest", None)
    Pictures(folder, names).check()
    assert Pictures(folder, names).digest() == digest and not read
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pictures, "open_picture", lambda path: read.append(Path(path).name))
    (folder / "0.png").write_bytes((folder / "in" / "1.png").read_bytes())
    Pictures(folder, names).check()
    assert read == ["0.png"]


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b'{"0.png": 1}', b'{"0.png": {}}'])
def test_what_was_kept_and_is_damaged_is_found_again(
    kept: bytes, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path(".snakemake").mkdir()
    before = Pictures(folder, ["0.png"]).digest()
    Pictures(folder, ["0.png"]).kept.write_bytes(kept)
    assert Pictures(folder, ["0.png"]).digest() == before


def test_broken_pictures_are_named_before_anything_is_learnt(folder: Path):
    whole = (folder / "0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[:-20])
    (folder / "jpeg.jpg").write_bytes(whole)
    (folder / "page.png").write_text("<html>")
    with pytest.raises(UserError) as caught:
        Pictures(folder, ["0.png", "cut.png", "jpeg.jpg", "page.png"]).check()
    told = str(caught.value).splitlines()
    assert len(told) == 3
    assert "cut.png" in told[0] and "the name says JPEG" in told[1] and "web page" in told[2]


def test_digests_of_a_dataset_tell_captions_from_pictures(folder: Path):
    read(folder, lines(*GOOD))
    before = Dataset(folder).digests()
    read(folder, b"\xef\xbb\xbf" + lines(*GOOD).replace(b"\n", b"\r\n"))
    assert Dataset(folder).digests() == before
    read(folder, lines(GOOD[0], {**GOOD[1], "captions": ["another"]}))
    after = Dataset(folder).digests()
    assert after["captions"] != before["captions"] and after["pictures"] == before["pictures"]


def test_what_weighs_more_is_drawn_more_often(folder: Path):
    heavy = {**GOOD[0], "weight": 3}
    read(folder, lines(heavy, GOOD[1]))
    dataset = CaptionedPictures(folder, 8)
    drawn = [
        record["picture"] for step in range(50) for record in dataset.batch(16, 1, step).records
    ]
    assert 550 < drawn.count(heavy["picture"]) < 650  # of 800
