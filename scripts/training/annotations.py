"""The list of captioned pictures: a folder's captions.jsonl, or COCO's annotation JSON.

People's lists hold all kinds of things. What is harmless is read (a byte order mark, blank lines,
Windows' line ends, any space inside a caption, HTML's `&amp;`, numbers written as text); whatever
else is wrong is named by its line or its record, before anything is learnt.
"""

import html
import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from scripts.errors import UserError
from scripts.untrusted.texts import MAX_TEXT, decode, is_plain, parse_json, read_bytes
from scripts.words import tidy

MAX_BYTES = 4 << 30  # of a list; COCO's has 66 MB
SHOWN = 5  # faults that are named
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
EXPECTED = 'expected {"picture": …, "captions": […]}'
COCO = (
    "these are no caption annotations in COCO's form; expected `images` with `id` and `file_name`,"
    " and `annotations` with `image_id` and `caption`."
)

Record = dict[str, Any]  # picture, captions, and maybe weight, codes and boxes


def read(folder: Path | str, annotations: Path | str | None = None) -> list[Record]:
    """The records of a folder of pictures: each a `picture` of the folder and its `captions`.

    They are told by COCO's `annotations`, or else by the folder's own captions.jsonl. Raises
    UserError, naming lines or records, if anything is wrong with the list, or if a picture is
    missing or lies outside of the folder.
    """
    path = Path(annotations or Path(folder, "captions.jsonl"))
    try:
        status = path.stat()
    except OSError as error:
        advice = "" if annotations else " A dataset is a folder of pictures with a captions.jsonl."
        reason = "is missing" if isinstance(error, FileNotFoundError) else error.strerror
        raise UserError(f"{path}: this list of captions {reason}.{advice}") from None
    return _read(Path(folder), path, annotations is not None, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(folder: Path, path: Path, is_coco: bool, *_: int) -> list[Record]:
    """Read once in a process, unless the list changes."""
    content = read_bytes(path, MAX_BYTES, empty=True)
    records = _coco(path, content) if is_coco else _lines(path, content)
    place = _within(folder)
    checked = _all(path, ((where, lambda r=record: place(r)) for where, record in records))
    if not checked:
        raise UserError(f"{path}: no picture has a caption; there is nothing to learn from.")
    return checked


# --- faults


def _all(path: Path, told: Iterable[tuple[str, Callable[[], Record | None]]]) -> list[Record]:
    """What each function gives, without what is None. Raises UserError that names the first faults.

    The text beside each function says where in the list it looks.
    """
    found, faults = [], []
    for where, look in told:
        try:
            record = look()
        except ValueError as error:
            faults.append(f"{path}, {where}: {error}.")
            if len(faults) > SHOWN:
                break
        else:
            found += [] if record is None else [record]
    if faults:
        more = ["There may be more such faults."] if len(faults) > SHOWN else []
        raise UserError("\n".join(faults[:SHOWN] + more))
    return found


# --- captions.jsonl


def _lines(path: Path, content: bytes) -> list[tuple[str, Record]]:
    """Records with their lines, which end with a line feed and with nothing else."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        decode(path, content)  # which says that this is UTF-16
    lines = enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
    told = [(f"line {number}", line) for number, line in lines if line.strip()]
    records = _all(path, ((where, lambda text=line: _of_line(text)) for where, line in told))
    return list(zip((where for where, _ in told), records, strict=True))


def _of_line(line: bytes) -> Record:
    try:
        said = parse_json(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"byte {error.start} of it is not UTF-8; save the list as UTF-8 (it may be Latin-1)"
        ) from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"this is not JSON ({error.msg}, column {error.colno}); {EXPECTED}"
        ) from None
    except ValueError as error:
        raise ValueError(f"this is not JSON ({error}); {EXPECTED}") from None
    if not isinstance(said, dict) or not said.get("picture") or "captions" not in said:
        raise ValueError(EXPECTED)
    captions = said["captions"]
    if isinstance(captions, str):  # one caption, and not one for each of its letters
        captions = [captions]
    if not isinstance(captions, list):
        raise ValueError(f"captions must be a list of sentences, not {_shown(captions)}")
    captions = [said for said in map(caption_of, captions) if said]
    if not captions:
        raise ValueError("its captions are empty; write what the picture shows, or leave it out")
    return {"picture": _name(said["picture"]), "captions": captions} | _weight(said) | _layout(said)


def _weight(said: dict[str, Any]) -> Record:
    """How often a picture is drawn, in comparison with the others, if a record tells it."""
    if "weight" not in said:
        return {}
    if not _is_number(said["weight"]) or said["weight"] <= 0:
        raise ValueError(f"weight must be a number above 0, not {_shown(said['weight'])}")
    return {"weight": said["weight"]}


def _layout(said: dict[str, Any]) -> Record:
    """The codes and the boxes of a rendered scene, if a record has them."""
    found: Record = {}
    if "codes" in said:
        codes = said["codes"]
        if not isinstance(codes, list) or not all(
            type(code) is int and code >= 0 for code in codes
        ):
            raise ValueError(f"codes must be whole numbers from 0 on, not {_shown(codes)}")
        found["codes"] = codes
    if "boxes" in said:
        if not isinstance(said["boxes"], list) or not all(map(_is_box, said["boxes"])):
            raise ValueError(
                "boxes must be [left, top, right, bottom] each, in shares of the picture from 0 to"
                f" 1, not {_shown(said['boxes'])}"
            )
        found["boxes"] = said["boxes"]
    return found


def _is_box(box: Any) -> bool:
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        return False
    left, top, right, bottom = box
    return 0 <= left < right <= 1 and 0 <= top < bottom <= 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# --- COCO


def _coco(path: Path, content: bytes) -> list[tuple[str, Record]]:
    """Records of COCO's caption annotations (captions_train2014.json), as captions.jsonl has them.

    Pictures without captions are left out.
    """
    try:
        said = parse_json(decode(path, content))
        images, annotations = said["images"], said["annotations"]
        if not isinstance(images, list) or not isinstance(annotations, list):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: {COCO}") from None
    names: dict[str, tuple[str, str]] = {}  # by id: where it is told, and the picture's file
    captions: dict[str, list[str]] = {}

    def image(where: str, told: Any) -> None:
        number, name = _id(told, "id"), _name(_value(told, "file_name"))
        if names.setdefault(number, (where, name))[1] != name:
            raise ValueError(f"the id {number} is {names[number][1]}'s already")

    def annotation(told: Any) -> None:
        if said := caption_of(_value(told, "caption")):
            captions.setdefault(_id(told, "image_id"), []).append(said)

    def each() -> Iterator[tuple[str, Callable[[], None]]]:
        for index, told in enumerate(images):
            yield f"images[{index}]", lambda i=index, t=told: image(f"images[{i}]", t)
        for index, told in enumerate(annotations):
            yield f"annotations[{index}]", lambda t=told: annotation(t)

    _all(path, each())
    return [
        (where, {"picture": name, "captions": captions[number]})
        for number, (where, name) in names.items()
        if number in captions
    ]


def _value(told: Any, key: str) -> Any:
    if not isinstance(told, dict) or key not in told:
        raise ValueError(f"it has no `{key}`; {COCO.removesuffix('.')}")
    return told[key]


def _id(told: Any, key: str) -> str:
    """An id as text: 7, 7.0 and "7" are the same."""
    value = _value(told, key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        raise ValueError(f"`{key}` must be a number or a text, not {_shown(value)}")
    return str(value).strip()


# --- captions and names


def caption_of(said: Any) -> str:
    """A caption as one tidy line, which may be empty. Raises ValueError if it is no text."""
    if isinstance(said, list):
        raise ValueError("a caption is a list of words; write it as one sentence")
    if not isinstance(said, str):
        raise ValueError(f"a caption must be a sentence, not {_shown(said)}")
    text = ENTITY.sub(lambda found: html.unescape(found[0]), said) if "&" in said else said
    if not (text.isascii() and text.isprintable()) and not is_plain(text):
        raise ValueError("a caption holds control characters, or half of a character")
    if len(text) > MAX_TEXT:
        raise ValueError(f"a caption has {len(text):,} characters; at most {MAX_TEXT:,} are read")
    return tidy(text)


def _name(said: Any) -> str:
    if not isinstance(said, str) or not said:
        raise ValueError(f"a picture must be the name of a file, not {_shown(said)}")
    if "\0" in said or not is_plain(said):
        raise ValueError(f"{said!r} is not the name of a file")
    return said


def _within(folder: Path) -> Callable[[Record], Record]:
    """A function that raises ValueError unless a record's picture is a file in the folder."""
    home = os.path.realpath(folder)
    real = lru_cache(maxsize=10_000)(os.path.realpath)

    def check(record: Record) -> Record:
        name = record["picture"]
        place = PurePosixPath(name)
        path = os.path.join(folder, name)
        if place.is_absolute() or ".." in place.parts:
            raise ValueError(f"its picture {name} must be a path inside of {folder}/")
        try:
            status = os.lstat(path)
            parent = real(os.path.dirname(path))
            leads = os.path.realpath(path) if stat.S_ISLNK(status.st_mode) else parent
            if os.path.commonpath([home, leads]) != home:
                raise ValueError(f"its picture {name} is a link that leads out of {folder}/")
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise ValueError(f"its picture {name} is not a file")
        except OSError:
            hint = "; write / between folders, not \\" if "\\" in name else ""
            raise ValueError(f"its picture {name} is not in {folder}/{hint}") from None
        return record

    return check


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:60]}…"
