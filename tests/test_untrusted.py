"""Files of strangers: each opens, or is refused with a message that names it; none is obeyed."""

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
import zlib
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from makers import captions_pickle, legacy_checkpoint, vocabulary_pickle
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from scripts.errors import UserError
from scripts.untrusted.checkpoints import load_checkpoint
from scripts.untrusted.files import FORMATS
from scripts.untrusted.pickles import load_captions_pickle, load_vocabulary_pickle
from scripts.untrusted.pictures import open_picture
from scripts.untrusted.texts import parse_json, read_json, read_text, read_yaml

pillow_heif.register_heif_opener()  # to write such pictures
WORDS = ["<pad>", "<start>", "<end>", "<unk>", "a", "cow", "o'clock"]
STATE = OrderedDict(
    [("fc.weight", torch.arange(6.0).reshape(2, 3)), ("fc.bias", torch.tensor([1.5, -2.0]))]
)


def picture(mode: str = "RGB", size: tuple[int, int] = (5, 3), colour=(200, 30, 90)) -> Image.Image:
    return Image.new("RGB", size, colour).convert(mode)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def drop(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


# --- pictures that play


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.jpg", "JPEG"),
        ("a.jpeg", "JPEG"),
        ("B.PNG", "PNG"),
        ("c.webp", "WEBP"),
        ("d.bmp", "BMP"),
        ("e.tif", "TIFF"),
        ("die Kühe am See.v2.TIFF", "TIFF"),
        ("f.gif", "GIF"),
        ("g.avif", "AVIF"),
        ("h.HEIC", "HEIF"),
        ("i.jp2", "JPEG2000"),
        ("saved by a browser.jfif", "JPEG"),
    ],
)
def test_every_promised_format_opens_as_rgb(tmp_path: Path, name: str, format: str) -> None:
    opened = open_picture(drop(tmp_path, name, encoded(picture(), format)))
    assert opened.mode == "RGB" and opened.size == (5, 3)
    assert max(abs(a - b) for a, b in zip(opened.getpixel((2, 1)), (200, 30, 90), strict=True)) < 9


@pytest.mark.parametrize(
    ("mode", "format"),
    [("L", "PNG"), ("1", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("CMYK", "JPEG"), ("CMYK", "TIFF")],
)
def test_other_colour_modes_become_rgb(tmp_path: Path, mode: str, format: str) -> None:
    path = drop(tmp_path, f"a.{format.lower()}", encoded(picture(mode), format))
    opened = open_picture(path)
    expected = picture(mode).convert("RGB").getpixel((0, 0))
    assert opened.mode == "RGB"
    assert max(abs(a - b) for a, b in zip(opened.getpixel((0, 0)), expected, strict=True)) < 9


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    values = [0, 257 * 10, 32768, 65535]
    grey = Image.frombytes("I;16", (4, 1), struct.pack("<4H", *values))
    for format in ("PNG", "TIFF"):
        path = drop(tmp_path, f"a.{format.lower()}", encoded(grey, format))
        seen = [open_picture(path).getpixel((x, 0))[1] for x in range(4)]
        assert seen == [0, 10, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([-1, 0, 1], [0, 128, 255]),
        ([7, 7, 7], [7, 7, 7]),
    ],
)
def test_fractions_become_eight_bits(tmp_path: Path, values: list, expected: list) -> None:
    image = Image.frombytes("F", (3, 1), struct.pack("<3f", *values))
    path = drop(tmp_path, "a.tif", encoded(image, "TIFF"))
    assert [open_picture(path).getpixel((x, 0))[0] for x in range(3)] == expected


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2, 1), (200, 30, 90, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    for format, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        opened = open_picture(
            drop(tmp_path, f"a.{format.lower()}", encoded(image, format, **options))
        )
        assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(200, 30, 90), (255, 255, 255)]


def test_a_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = picture("P")
    path = drop(tmp_path, "a.png", encoded(image, "PNG", transparency=image.getpixel((0, 0))))
    assert open_picture(path).getpixel((0, 0)) == (255, 255, 255)


TURNS = {  # EXIF 2.3, tag 274: how the camera was held
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@pytest.mark.parametrize("held", range(1, 9))
def test_a_turned_camera_is_put_upright(tmp_path: Path, held: int) -> None:
    upright = Image.new("RGB", (4, 2), "black")
    upright.putpixel((0, 0), (255, 255, 255))
    back = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.get(held)
    stored = upright.transpose(TURNS[back]) if back else upright
    exif = Image.Exif()
    exif[274] = held
    opened = open_picture(drop(tmp_path, "a.png", encoded(stored, "PNG", exif=exif.tobytes())))
    assert opened.size == (4, 2) and opened.getpixel((0, 0)) == (255, 255, 255)
    assert not opened.getexif()


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_the_first_frame_counts(tmp_path: Path, format: str) -> None:
    frames = {"save_all": True, "append_images": [picture(colour=(0, 0, 255))]}
    path = drop(tmp_path, f"a.{format.lower()}", encoded(picture(), format, **frames))
    red, _, blue = open_picture(path).getpixel((0, 0))
    assert red > 150 and blue < 150


@pytest.mark.parametrize("format", ["GIF", "AVIF", "PNG", "WEBP", "TIFF"])
def test_further_frames_are_worth_a_note(tmp_path: Path, format: str) -> None:
    notes: list[str] = []
    name = f"a.{format.lower()}"
    open_picture(drop(tmp_path, name, encoded(picture(), format)), notes.append)
    assert not notes
    frames = {"save_all": True, "append_images": [picture(colour=(0, 0, 255))]}
    open_picture(drop(tmp_path, name, encoded(picture(), format, **frames)), notes.append)
    (note,) = notes
    assert name in note and "first one is used" in note


def test_notes_of_any_size_in_a_png_do_not_matter(tmp_path: Path) -> None:
    for place, compressed in (("zTXt", True), ("tEXt", False)):
        notes = PngInfo()
        notes.add_text("Comment", "moo" * 1_000_000, zip=compressed)
        path = drop(tmp_path, f"{place}.png", encoded(picture(), "PNG", pnginfo=notes))
        assert open_picture(path).getpixel((0, 0)) == (200, 30, 90)
    path = drop(tmp_path, "a.png", encoded(picture(), "PNG", icc_profile=bytes(2_000_000)))
    assert open_picture(path).getpixel((0, 0)) == (200, 30, 90)


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_cut_short_is_told_as_what_it_is(tmp_path: Path, format: str) -> None:
    whole = encoded(Image.effect_noise((90, 90), 80).convert("RGB"), format)
    title = {"HEIF": "HEIC", "JPEG2000": "JPEG 2000"}.get(format, format)
    for size in (20, len(whole) // 2):
        path = drop(tmp_path, f"a{FORMATS[format][0]}", whole[:size])
        with pytest.raises(
            UserError, match=f"this {title} picture is damaged or cut short"
        ) as told:
            open_picture(path)
        assert "Pictures can be" not in str(told.value)


@pytest.mark.parametrize("size", [(1, 1), (3000, 2)])
def test_odd_sizes_open(tmp_path: Path, size: tuple[int, int]) -> None:
    path = drop(tmp_path, "a.png", encoded(picture(size=size), "PNG"))
    assert open_picture(path).size == size


# --- pictures that do not


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few bytes that claims billions of pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"")), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("cow.jpg", b"moo")
    return buffer.getvalue()


PNG = encoded(Image.effect_noise((40, 40), 80), "PNG")
BAD_CHECKSUM = (
    PNG[: PNG.index(b"IEND") - 5]
    + bytes([PNG[PNG.index(b"IEND") - 5] ^ 1])
    + (PNG[PNG.index(b"IEND") - 4 :])
)
JPEG = encoded(Image.effect_noise((90, 90), 80), "JPEG")
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.png", b"", "empty"),
        ("short.png", PNG[: len(PNG) // 2], "damaged or cut short"),
        ("short.jpg", JPEG[: len(JPEG) // 2], "damaged or cut short"),
        ("checksum.png", BAD_CHECKSUM, "damaged"),
        ("page.jpg", b"\n<!DOCTYPE html><html><title>404</title>", "web page"),
        ("drawing.png", SVG, "SVG"),
        ("archive.jpg", archive(), "zip archive"),
        ("film.png", encoded(picture(), "GIF"), "GIF picture.*Rename it to film.gif"),
        ("photo.jpg", encoded(picture(), "HEIF"), "HEIC picture.*Rename it to photo.heic"),
        ("long.png", encoded(Image.new("1", (70_000, 1)), "PNG"), "sides of more than 65,535"),
        ("renamed.png", encoded(picture(), "JPEG"), "JPEG picture.*Rename it to renamed.jpg"),
        ("noise.bmp", b"\x00\x01\x02" * 50, "not a picture"),
        ("bomb.png", bomb(), "pixels"),
        ("smaller.png", bomb(10_000, 10_000), "pixels"),
        ("text.tif", b"a cow", "not a picture"),
    ],
)
def test_no_picture_is_one_clear_message(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(UserError, match=f"(?s){name}.*{reason}"):
            open_picture(drop(tmp_path, name, content))


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for name, reason in (("none.png", "No such file"), ("pipe.png", "not a file"), (".", "not a")):
        with pytest.raises(UserError, match=reason):
            open_picture(tmp_path / name)


# --- texts


def test_a_text_is_one_tidy_line(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.txt", b"\xef\xbb\xbf A cow\r\n  in a\tcaf\xc3\xa9. \n\n")
    assert read_text(path) == "A cow in a café."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b"a\x00cow", "not plain text"),
        (b"a cow \xff", "byte 6 is not UTF-8"),
        ("a cow".encode("utf-16"), "UTF-16"),
        (b"cow " * 5_000, "20,000 characters|19,999 characters"),
        (b"cow " * 25_000, "100,000 bytes"),
    ],
)
def test_no_text_is_one_clear_message(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=rf"base\.txt.*({reason})"):
        read_text(drop(tmp_path, "base.txt", content))


# --- JSON and YAML


LAUGHS = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghij"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("seed: 1\nrounds: 2\nseed: 3", "line 3 is wrong.*'seed' is there twice"),
        ("study:\n  bases: [a]\n  bases: [b]", "line 3 is wrong.*'bases' is there twice"),
        ("- {a: 1, a: 2}", "'a' is there twice"),
        ("[" * 100_000, "nested more than"),
        ("{a: " * 100_000, "nested more than"),
        ("- " * 50_000, "nested more than"),
        ("a: &a [1, 1, 1, 1]\n" + LAUGHS, "stands for more than"),
        ("a: &a [*a]", "stands for more than"),
        ("a: " + "9" * 5_000, "unquoted text of 5,000"),
        ("a: " + "1:" * 2_000 + "1", "unquoted text of"),
        ("a: 2026-13-45", "month must be"),
        ("!!python/object/apply:os.system [ls]", "constructor"),
        ("a: [", "line 1"),
        ("a: \0", "unacceptable character"),
        ("# only a comment\n" * 100_000, "more than 1,048,576"),
    ],
)
def test_hostile_yaml_is_refused_at_once(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(UserError, match=f"bundle.yaml.*{reason}"):
        read_yaml(drop(tmp_path, "bundle.yaml", content.encode()))


def test_names_in_yaml_stand_for_what_they_name(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.yaml", b"a: &sizes {b: 1}\nc: *sizes\nd: {<<: *sizes, e: 2}")
    assert read_yaml(path) == {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[" * 1_000_000, "nested too deeply"),
        (b'{"a": ' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b'"' * 1_000_001, "not JSON"),
        (b'{"a": "' + b'\\"' * 500_000, "nested too deeply|not JSON"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b"[1" + b"0" * 5_000 + b"]", "not JSON"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b"", "empty"),
    ],
)
def test_hostile_json_is_refused_at_once(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=rf"round1\.json.*({reason})"):
        read_json(drop(tmp_path, "round1.json", content))


def test_brackets_in_texts_do_not_count_as_depth() -> None:
    found = {"a": "[[{" * 100, "b": '\\"[' * 100, "c": [{"d": [{}, []]}]}
    assert parse_json(json.dumps(found)) == found


# --- pickles


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_vocabularies_of_every_protocol_open(tmp_path: Path, protocol: int) -> None:
    path = drop(tmp_path, "vocab.pkl", vocabulary_pickle(WORDS, protocol))
    assert load_vocabulary_pickle(path) == WORDS


@pytest.mark.parametrize("protocol", [0, 2])
def test_captions_of_python_2_open(tmp_path: Path, protocol: int) -> None:
    words = ["<end>", "a", "caf\u00e9"]
    path = drop(tmp_path, "captions.pickle", captions_pickle(words, protocol))
    assert load_captions_pickle(path) == words


def forked(name: str, fields: dict, protocol: int) -> bytes:
    """A pickle of an object of somebody's own class."""
    module, _, kind = name.rpartition(".")
    inner = pickle.dumps(fields, protocol).removesuffix(b".")
    head = inner[:2] if protocol > 1 else b""
    return head + f"c{module}\n{kind}\n".encode() + b")\x81" + inner[len(head) :] + b"b."


LISTS = {"idx2word": dict(enumerate(WORDS)), "word2idx": {w: n for n, w in enumerate(WORDS)}}
COUNTS = defaultdict(int, {word: number for number, word in enumerate(WORDS)})


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("vocab.Vocabulary", LISTS),
        ("utils.build_vocab.Vocabulary", LISTS),
        ("utils.build_vocab", LISTS),
        ("data.text.Vocab", {"itos": WORDS, "stoi": COUNTS}),
        ("vocab.Vocabulary", {name: OrderedDict(table) for name, table in LISTS.items()}),
        (
            "vocab.Vocabulary",
            {
                "idx2word": {np.int64(number): word for number, word in enumerate(WORDS)},
                "word2idx": {word: np.int32(number) for number, word in enumerate(WORDS)},
                "threshold": np.float32(4),
                "counts": Counter(WORDS),
            },
        ),
    ],
)
def test_vocabularies_of_forks_open(tmp_path: Path, name: str, fields: dict, protocol: int) -> None:
    path = drop(tmp_path, "vocab.pkl", forked(name, fields, protocol))
    assert load_vocabulary_pickle(path) == WORDS
    path = drop(tmp_path, "vocab.pkl", pickle.dumps(fields, protocol))
    assert load_vocabulary_pickle(path) == WORDS


@pytest.mark.parametrize(
    "name", ["my.data.Dataset", "torchtext.vocab.Vectors", "numpy.ndarray", "model.G_NET"]
)
def test_harmless_classes_are_not_called_untrustworthy(tmp_path: Path, name: str) -> None:
    path = drop(tmp_path, "vocab.pkl", forked(name, LISTS, 2))
    with pytest.raises(UserError, match=f"refused.*asks for {name}.*words and numbers") as told:
        load_vocabulary_pickle(path)
    assert "do not trust" not in str(told.value)


@pytest.mark.parametrize(
    "content",
    [b"]" * 3_000_000, b"(" * 3_000_000, b"\x80\x04N" + b"\x94" * 3_000_000, b"(l" * 2_000_000],
)
def test_a_small_pickle_takes_no_large_memory(tmp_path: Path, content: bytes) -> None:
    path = drop(tmp_path, "vocab.pkl", content)
    with pytest.raises(UserError, match=r"vocab.pkl.*more than 2,000,000"):
        load_vocabulary_pickle(path)


def test_numbers_cannot_be_made_to_collide(tmp_path: Path) -> None:
    colliding = {number * ((1 << 61) - 1): "a" for number in range(1, 20)}
    path = drop(tmp_path, "vocab.pkl", pickle.dumps(colliding, 2))
    with pytest.raises(UserError, match="keys are not words or numbers"):
        load_vocabulary_pickle(path)


class Runs:
    """Pickles as a call of any function."""

    def __init__(self, *call) -> None:
        self.call = call

    def __reduce__(self):
        return self.call


def hostile(mark: Path) -> list:
    """Objects whose pickles would leave a mark if anything of them ran."""
    touch = f"open({str(mark)!r}, 'w')"
    return [
        Runs(os.system, (f"touch {mark}",)),
        Runs(eval, (touch,)),
        Runs(exec, (touch,)),
        [1, {"netG": Runs(eval, (touch,))}],
        OrderedDict(weight=Runs(os.mkdir, (str(mark),))),
        Runs(getattr, (Runs(__import__, ("os",)), "system")),
        Runs(list, (Runs(map, (os.mkdir, [str(mark)])),)),
    ]


OPENERS = {
    "vocab.pkl": load_vocabulary_pickle,
    "captions.pickle": load_captions_pickle,
    "coco_AttnGAN2.pth": load_checkpoint,
}


@pytest.mark.parametrize("name", OPENERS)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_hostile_pickles_never_run(tmp_path: Path, name: str, protocol: int) -> None:
    mark = tmp_path / "mark"
    for thing in hostile(mark):
        path = drop(tmp_path, name, pickle.dumps(thing, protocol))
        with pytest.raises(UserError, match=name):
            OPENERS[name](path)
        assert not mark.exists()


def test_hostile_opcodes_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = f"(S'touch {mark}'\nios\nsystem\n.".encode()
    via_inst = f"(cos\nsystem\nS'touch {mark}'\no.".encode()
    build = b"c__main__\nVocabulary\n}S'__class__'\ncos\nsystem\nsb."
    reserve = b"}r\xff\xff\xff\x7f."
    nested = b"}" + b")" + b"\x85" * 100_000 + b"Ns."
    for content in (program, via_inst, build, nested, reserve):
        for name, opener in OPENERS.items():
            with pytest.raises(UserError, match=name):
                opener(drop(tmp_path, name, content))
            assert not mark.exists()


def test_a_refusal_says_what_the_pickle_asked_for(tmp_path: Path) -> None:
    path = drop(tmp_path, "vocab.pkl", pickle.dumps(Runs(eval, ("1",)), 2))
    with pytest.raises(UserError, match=r"vocab\.pkl: refused.*__builtin__\.eval.*do not trust"):
        load_vocabulary_pickle(path)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("wrap", [lambda thing: thing, lambda thing: {"netG": {"w": thing}}])
def test_hostile_checkpoints_never_run(tmp_path: Path, zipped: bool, wrap) -> None:
    mark = tmp_path / "mark"
    for thing in hostile(mark):
        path = tmp_path / "coco_AttnGAN2.pth"
        torch.save(wrap(thing), path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(UserError, match=r"coco_AttnGAN2\.pth: refused"):
            load_checkpoint(path)
        assert not mark.exists()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: [[], [], {0: "a", 2: "b"}, {"a": 0, "b": 2}], "without gaps"),
        (lambda: [[], [], {0: "a", 1: "b"}, {"a": 0, "b": 0}], "do not agree"),
        (lambda: [[], [], {0: 1}, {1: 0}], "not text"),
        (lambda: [[], [], {}, {}], "no vocabulary"),
        (lambda: [[], []], "no vocabulary"),
        (lambda: {"a": 1}, "no vocabulary"),
        (lambda: [[], [], {0: "a\nb"}, {"a\nb": 0}], "line break"),
    ],
)
def test_broken_vocabularies_are_refused(tmp_path: Path, make, reason: str) -> None:
    path = drop(tmp_path, "captions.pickle", pickle.dumps(make(), 2))
    with pytest.raises(UserError, match=rf"captions\.pickle.*{reason}"):
        load_captions_pickle(path)


# --- checkpoints

OPTIMIZER = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}


def assert_same(found: dict, expected: dict = STATE) -> None:
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].device.type == "cpu"
        torch.testing.assert_close(found[name], tensor)


@pytest.mark.parametrize("python2", [False, True])
@pytest.mark.parametrize("storage", ["torch FloatStorage", "torch.cuda FloatStorage"])
def test_old_checkpoints_of_a_gpu_open(tmp_path: Path, python2: bool, storage: str) -> None:
    path = drop(tmp_path, "a.pth", legacy_checkpoint(STATE, python2=python2, storage=storage))
    assert b"cuda:0" in path.read_bytes()
    assert_same(load_checkpoint(path))


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"netG": state, "netD": [state], "optimG": {"lr": 0.1}},
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {"netG": {f"module.{name}": tensor for name, tensor in state.items()}},
        lambda state: {name: torch.nn.Parameter(tensor) for name, tensor in state.items()},
        lambda state: {"epoch": 3, "state_dict": state, "optimizer": OPTIMIZER},
        lambda state: {"model": {"netG": state, "netD": state}, "best": np.float64(0.3)},
        lambda state: {"model": {f"module.{name}": tensor for name, tensor in state.items()}},
        lambda state: {"encoder": state, "config": {"width": 3}},
        lambda state: {"args": Namespace(rate=0.1), "counts": COUNTS, "state_dict": state},
        lambda state: {"when": datetime(2020, 1, 1), "where": Path("a"), "state_dict": state},
    ],
)
def test_nests_and_prefixes_are_unpacked(tmp_path: Path, zipped: bool, wrap) -> None:
    path = tmp_path / "a.pth"
    torch.save(wrap(STATE), path, _use_new_zipfile_serialization=zipped)
    assert_same(load_checkpoint(path))


@pytest.mark.parametrize(
    ("thing", "reason"),
    [
        ({"encoder": STATE, "decoder": STATE}, "which of 'encoder', 'decoder'"),
        (torch.nn.Linear(2, 3), r"asks for torch.nn.modules.linear.Linear.*network.state_dict\(\)"),
        ({"w": torch.zeros(2, dtype=torch.complex64)}, "w holds complex numbers"),
        ({"w": torch.eye(3).to_sparse()}, "rebuild_sparse.*state_dict"),
        ({"epoch": 3}, "'epoch' in this checkpoint is not a tensor"),
    ],
)
def test_other_checkpoints_are_told_what_to_do(tmp_path: Path, thing, reason: str) -> None:
    for zipped in (False, True):
        path = drop(tmp_path, "a.pth", saved(thing, zipped))
        with pytest.raises(UserError, match=rf"a\.pth.*{reason}") as told:
            load_checkpoint(path)
        assert "do not trust" not in str(told.value)


def test_the_state_of_a_real_network_opens(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    for zipped in (False, True):
        path = tmp_path / "a.pth"
        torch.save(network.state_dict(), path, _use_new_zipfile_serialization=zipped)
        assert_same(load_checkpoint(path), network.state_dict())


def saved(thing, zipped: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def shared(number: int = 20) -> bytes:
    """A zipped checkpoint of so many tensors, each of which is given the first one's bytes."""
    whole = saved({f"w{i:02}": torch.zeros(9_000) for i in range(number)}, zipped=True)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = archive.infolist()
    first = next(member for member in members if member.filename.endswith("/data/0"))
    body, index, places = b"", b"", {}
    for member in members:
        name, source = member.filename.encode(), member
        if "/data/" in member.filename and member is not first:
            source = first
        else:
            lengths = struct.unpack_from("<HH", whole, member.header_offset + 26)
            end = member.header_offset + 30 + sum(lengths) + member.file_size
            places[member.filename] = len(body)
            body += whole[member.header_offset : end]
        sizes, place = (source.CRC, source.file_size, source.file_size), places[source.filename]
        entry = (20, 20, 0, 0, 0, 0, *sizes, len(name), 0, 0, 0, 0, 0, place)
        index += b"PK\1\2" + struct.pack("<6H3I5H2I", *entry) + name
    ending = struct.pack("<4H2IH", 0, 0, len(members), len(members), len(index), len(body), 0)
    return body + index + b"PK\5\6" + ending


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (shared(), "damaged"),
        (saved(OrderedDict()), "decoy"),
        (saved({}, zipped=True), "decoy"),
        (saved({"netG": {}}), "decoy"),
        (saved({"w": torch.tensor([1.0, float("nan")])}), "w holds values that are not finite"),
        (saved({"w": torch.tensor([float("inf")])}, True), "w holds values that are not finite"),
        (saved({"w": torch.zeros(1).expand(10**6, 10**6)}), "claims to be larger"),
        (saved({"w": 3}), "'w' in this checkpoint is not a tensor"),
        (saved({"w": bytearray(9)}), "refused"),
        (saved(STATE)[:-9], "damaged or cut short"),
        (saved(STATE)[:60], "damaged or cut short"),
        (saved(STATE, True)[:-30], "damaged or cut short"),
        (b"<!DOCTYPE html><html>Quota exceeded</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (archive(), "not a checkpoint"),
        (b"", "empty"),
    ],
)
def test_broken_checkpoints_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=rf"(?s)a\.pth.*{reason}"):
        load_checkpoint(drop(tmp_path, "a.pth", content))


# --- anything at all

EXAMPLES = int(os.environ.get("EXAMPLES", "60"))  # of each sample
SAMPLES = {
    "a.png": (open_picture, encoded(picture(), "PNG")),
    "a.jpg": (open_picture, encoded(picture(), "JPEG")),
    "a.webp": (open_picture, encoded(picture(), "WEBP")),
    "a.bmp": (open_picture, encoded(picture(), "BMP")),
    "a.tif": (open_picture, encoded(picture(), "TIFF", compression="tiff_lzw")),
    "a.gif": (open_picture, encoded(picture(), "GIF")),
    "a.avif": (open_picture, encoded(picture(), "AVIF")),
    "a.heic": (open_picture, encoded(picture(), "HEIF")),
    "a.jp2": (open_picture, encoded(picture(), "JPEG2000")),
    "a.yaml": (read_yaml, b"a: &a {b: [1, 2.5, x]}\nc: *a\n"),
    "a.json": (read_json, b'{"a": [1, {"b": "\\u00e9"}], "c": null}'),
    "a.txt": (read_text, "A cow in a café.".encode()),
    "vocab.pkl": (load_vocabulary_pickle, vocabulary_pickle(WORDS, 0)),
    "vocab2.pkl": (load_vocabulary_pickle, vocabulary_pickle(WORDS, 4)),
    "captions.pickle": (load_captions_pickle, captions_pickle(["<end>", "a"], 2)),
    "old.pth": (load_checkpoint, legacy_checkpoint(STATE, python2=True)),
    "new.pth": (load_checkpoint, saved(STATE, zipped=True)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SAMPLES)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_changed_bytes_open_or_are_refused(tmp_path: Path, name: str, data) -> None:
    opener, sample = SAMPLES[name]
    if data.draw(st.booleans()):
        content = data.draw(st.binary(max_size=200))
    else:
        content = bytearray(sample)
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        content = bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        opener(drop(tmp_path, name, content))
    except UserError as error:
        assert name in str(error) and "\n" not in str(error)[:20]
