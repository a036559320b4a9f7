"""The one module that opens files of strangers: pictures, texts, pickles, torch checkpoints.

Whatever is in them, a function here gives what it promises or raises UserError, and nothing that a
file says is ever run: a pickle is taken apart by an interpreter that knows only plain containers,
numbers, strings and one empty class.
"""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import re
import stat
import unicodedata
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image

from scripts.errors import UserError
from scripts.words import tidy

if TYPE_CHECKING:
    from torch import Tensor

MIB = 1024 * 1024
MAX_PICTURE_BYTES = 512 * MIB
MAX_PICTURE_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a GiB at three bytes each
MAX_TEXT = 10_000  # characters; a caption has about fifty
MAX_PICKLE_BYTES = 256 * MIB  # the largest official one has about 20
MAX_CHECKPOINT_BYTES = 4096 * MIB  # the largest official one has 225

PICTURES = {  # what Pillow calls a format: the endings of its files
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}
ENDINGS = {ending: name for name, endings in PICTURES.items() for ending in endings}

MAGIC = (  # the beginnings of what people and servers take for something else
    (b"version https://git-lfs", "a Git LFS pointer, not the file that it stands for"),
    (b"%PDF", "a PDF document"),
    (b"GIF8", "a GIF picture"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
)


def guess(head: bytes) -> str:
    """What a file that begins like this seems to be ("a web page"), or "" if that is not known."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:512].lower()
    if b"<svg" in start:
        return "an SVG drawing"
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body")) or b"<html" in start:
        return "a web page, not the file itself"
    if start.startswith(b"<?xml"):
        return "an XML document"
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"):
        return "a HEIC or AVIF picture"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WEBP picture"
    return next((name for magic, name in MAGIC if head.startswith(magic)), "")


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _open(path: Path, most: int) -> BinaryIO:
    """Opens a regular file that is neither empty nor larger than `most` bytes."""
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for ever.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise UserError(f"{path}: this file cannot be opened ({error.strerror}).") from None
    file = os.fdopen(number, "rb") if stat.S_ISREG(os.fstat(number).st_mode) else None
    if file is None:
        os.close(number)
        raise UserError(f"{path}: this is not a file.")
    size = _size(file)
    if not size or size > most:
        file.close()
        if not size:
            raise UserError(f"{path}: this file is empty.")
        raise UserError(f"{path}: this file has {size:,} bytes; more than {most:,} are not opened.")
    return file


# --- pictures


def open_picture(path: Path | str) -> Image.Image:
    """The picture in a file, as RGB: the first frame, turned as its EXIF note says.

    Transparent parts become white; 16 bits a channel become 8; grey, palette, two-colour and CMYK
    pictures become RGB. Nothing but JPEG, PNG, WEBP, BMP and TIFF is opened. Raises UserError.
    """
    path = Path(path)
    with _open(path, MAX_PICTURE_BYTES) as file:
        head = file.read(1024)
        file.seek(0)
        # Decoders meet hostile bytes with nearly any exception; each means the same here.
        try:
            picture = Image.open(file, formats=list(PICTURES))
        except Image.DecompressionBombError:
            raise _too_many_pixels(path) from None
        except Exception:
            known = guess(head)
            reason = f"this is {known}" if known else "this is not a picture, or a damaged one"
            raise UserError(
                f"{path}: {reason}. Pictures can be JPEG, PNG, WEBP, BMP or TIFF files."
            ) from None
        with picture:
            if picture.width * picture.height > MAX_PICTURE_PIXELS:
                raise _too_many_pixels(path, picture.size)
            _check_ending(path, picture.format)
            try:
                if picture.format == "PNG":  # the only check of a PNG's checksums; it uses it up
                    picture.verify()
                    file.seek(0)
                    picture = Image.open(file, formats=["PNG"])
                picture.load()
                return _as_rgb(picture)
            except Exception as error:
                reason = str(error) or type(error).__name__
                raise UserError(
                    f"{path}: this picture is damaged or cut short ({reason}). "
                    "Save or download it again."
                ) from None


def _too_many_pixels(path: Path, size: tuple[int, int] | None = None) -> UserError:
    claims = f"{size[0]} by {size[1]}" if size else "far too many"
    return UserError(
        f"{path}: this picture claims to have {claims} pixels; more than "
        f"{MAX_PICTURE_PIXELS:,} are not opened. Make it smaller."
    )


def _check_ending(path: Path, found: str | None) -> None:
    """Raises UserError if the file's ending promises another format than is in it."""
    found = "JPEG" if found == "MPO" else found  # several JPEG pictures in one file
    promised = ENDINGS.get(path.suffix.lower(), found)
    if found != promised:
        raise UserError(
            f"{path}: the name says {promised}, but this is a {found} picture. "
            f"Rename it to {path.stem}{PICTURES[found][0]}."
        )


def _as_rgb(picture: Image.Image) -> Image.Image:
    """A decoded picture as a new RGB picture without notes."""
    picture = _upright(picture)
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bits(picture)
    if picture.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        picture = Image.new("RGBA", clear.size, "white")
        picture.alpha_composite(clear)
    picture = picture.convert("RGB")
    picture.info.clear()
    return picture


TURNS = {  # EXIF 2.3, tag 274: how the camera was held
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(picture: Image.Image) -> Image.Image:
    try:
        turn = TURNS.get(picture.getexif().get(274))
    except Exception:  # a damaged note says nothing about the pixels
        return picture
    return picture if turn is None else picture.transpose(turn)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """A grey picture of 16 or 32 bits, or of fractions, as one of 8 bits.

    16 bits are taken as 0 to 65,535, fractions as 0 to 1; anything else that does not fit into
    what 8 or 16 bits hold is stretched between its darkest and its lightest value.
    """
    sixteen = picture.mode.startswith("I;16")
    picture = picture.convert("F")
    low, high = (0.0, 65535.0) if sixteen else picture.getextrema()
    if not -1e30 < low <= high < 1e30:  # also if not a number
        raise ValueError("its brightness is not a number")
    if low >= 0 and not sixteen:
        low, high = 0.0, next((top for top in (1.0, 255.0, 65535.0) if high <= top), high)
    scale = 255.0 / (high - low) if high > low else 0.0
    return picture.point(lambda value: value * scale + (0.5 - low * scale)).convert("L")


# --- texts


def read_text(path: Path | str) -> str:
    """The text in a file as one tidy line. Raises UserError if there is none, or no plain text."""
    with _open(Path(path), 4 * MAX_TEXT + 4) as file:
        content = file.read()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{path}: this text is UTF-16; save it as UTF-8.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: byte {error.start} is not UTF-8; save it as plain text in UTF-8."
        ) from None
    if any(unicodedata.category(letter) == "Cc" and not letter.isspace() for letter in text):
        raise UserError(f"{path}: this is not plain text; it holds control characters.")
    line = tidy(text)
    if not line:
        raise UserError(f"{path}: this text is empty; write a sentence into it.")
    if len(line) > MAX_TEXT:
        raise UserError(
            f"{path}: this text has {len(line):,} characters; at most {MAX_TEXT:,} are read."
        )
    return line


# --- pickles


class _Record:
    """Stands for `__main__.Vocabulary`: what it holds, and nothing that it does."""


def _reconstructor(kind: Any, base: Any, state: Any) -> _Record:
    """What `copy_reg._reconstructor` does for the one class that is known."""
    if (kind, base, state) != (_Record, object, None):
        raise pickle.UnpicklingError("it builds something else than a vocabulary")
    return _Record()


GLOBALS = {
    ("__main__", "Vocabulary"): _Record,
    ("build_vocab", "Vocabulary"): _Record,
    ("copy_reg", "_reconstructor"): _reconstructor,
    ("copyreg", "_reconstructor"): _reconstructor,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
}

OPCODES = """
    PROTO FRAME STOP MARK POP POP_MARK DUP GLOBAL STACK_GLOBAL REDUCE BUILD NEWOBJ
    NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE
    EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT DICT SETITEM SETITEMS
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3
    PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
""".split()  # noqa: SIM905


class _PlainUnpickler(pickle._Unpickler):
    """Reads pickles of plain data, and refuses every other opcode and every other name.

    Python's own unpickler in Python, not the faster one in C: that one sets aside memory for
    whatever number a file claims, so that ten bytes could ask for 32 GiB.
    """

    dispatch = {
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]]
        for name in OPCODES
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return GLOBALS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None

    def load_build(self) -> None:
        if type(self.stack[-2]) is not _Record or type(self.stack[-1]) is not dict:
            raise pickle.UnpicklingError("it fills something else than a vocabulary")
        state = self.stack.pop()
        self.stack[-1].__dict__.update(state)

    def load_newobj(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        if kind is not _Record or arguments != ():
            raise pickle.UnpicklingError("it builds something else than a vocabulary")
        self.append(_Record())

    # Keys are words and numbers: a nest of a million tuples would break the stack when hashed.
    def load_setitem(self) -> None:
        _check_key(self.stack[-2])
        super().load_setitem()

    def load_setitems(self) -> None:
        for key in self.stack[::2]:
            _check_key(key)
        super().load_setitems()

    def load_dict(self) -> None:
        for key in self.stack[::2]:
            _check_key(key)
        super().load_dict()

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict


def _check_key(key: Any) -> None:
    if type(key) not in (str, int):
        raise pickle.UnpicklingError("it holds a dictionary whose keys are not words or numbers")


def _load_pickle(path: Path) -> Any:
    with _open(path, MAX_PICKLE_BYTES) as file:
        content = file.read()
    try:
        # Python 2 wrote words as bytes; latin1 takes any, and `_word` puts UTF-8 right.
        return _PlainUnpickler(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:
        raise _refused(path, content[:1024], "a pickle of plain data", error) from None


def _refused(path: Path, head: bytes, wanted: str, error: Exception) -> UserError:
    """The message for a file that is not, or not only, what was wanted."""
    if known := guess(head):
        return UserError(f"{path}: this is {known}. Download it again, or from elsewhere.")
    if isinstance(error, pickle.UnpicklingError) and str(error).startswith("it "):
        return UserError(
            f"{path}: refused, and nothing of it was run: {error}, which {wanted} never needs. "
            "Delete this file, and do not trust where it came from."
        )
    return UserError(
        f"{path}: this is not {wanted}, or it is damaged or cut short. Download it again."
    )


def load_vocabulary_pickle(path: Path | str) -> list[str]:
    """The words of yunjey's `vocab.pkl`, by their number. Raises UserError."""
    path = Path(path)
    found = _load_pickle(path)
    fields = vars(found) if isinstance(found, _Record) else {}
    return _words_by_number(path, fields.get("idx2word"), fields.get("word2idx"))


def load_captions_pickle(path: Path | str) -> list[str]:
    """The words of AttnGAN's `captions.pickle`, by their number. Raises UserError.

    That file is a list of training captions, test captions, words by number, numbers by word.
    """
    path = Path(path)
    found = _load_pickle(path)
    whole = isinstance(found, list) and len(found) >= 4
    return _words_by_number(path, *(found[2:4] if whole else (None, None)))


def _words_by_number(path: Path, words: Any, numbers: Any) -> list[str]:
    """Checks that both dictionaries describe one numbering, and gives its words in order."""
    if not isinstance(words, dict) or not isinstance(numbers, dict) or not words:
        raise UserError(f"{path}: this pickle holds no vocabulary, words with their numbers.")
    if set(words) != set(range(len(words))):
        raise UserError(f"{path}: its {len(words)} words are not numbered from 0 without gaps.")
    if not all(type(word) is str for word in words.values()):
        raise UserError(f"{path}: some of its words are not text.")
    if numbers != {word: number for number, word in words.items()}:
        raise UserError(f"{path}: its list of words and its list of numbers do not agree.")
    ordered = [_word(words[number]) for number in range(len(words))]
    if any("\n" in word for word in ordered) or len(set(ordered)) < len(ordered):
        raise UserError(f"{path}: a word is there twice, or holds a line break.")
    return ordered


def _word(latin: str) -> str:
    """A word that was read as latin1, or as the UTF-8 that it may have been."""
    try:
        return latin.encode("latin1").decode("utf-8")
    except UnicodeError:
        return latin


# --- torch checkpoints

LEGACY = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # torch before 1.6: a pickled number
ZIPPED = b"PK\x03\x04"
CHECKPOINT_GLOBALS = re.compile(
    r"collections OrderedDict"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter)"
    r"|torch(\.cuda)? (Float|Double|Half|BFloat16|Long|Int|Short|Char|Byte|Bool)Storage"
    r"|torch Size"
)
CHECKPOINT_OPCODES = {*OPCODES, "BINPERSID"} - {"STACK_GLOBAL"}


def load_checkpoint(path: Path | str) -> dict[str, Tensor]:
    """The tensors in a torch checkpoint, by name, on the CPU.

    Takes the format of torch before 1.6 and the zipped one since; tensors saved on a GPU; state
    inside a `netG` entry; names with the `module.` of DataParallel. Raises UserError if the file is
    something else, asks for anything but tensors, or holds none, or values that are not finite.
    """
    path = Path(path)
    import torch

    with _open(path, MAX_CHECKPOINT_BYTES) as file:
        head = file.read(1024)
        file.seek(0)
        try:
            _check_checkpoint(file, head)
            file.seek(0)
            found = torch.load(file, map_location="cpu", weights_only=True)
            return _state(path, found)
        except UserError:
            raise
        except Exception as error:
            head = b"" if head.startswith(ZIPPED) else head
            raise _refused(path, head, "a checkpoint of PyTorch", error) from None


def _check_checkpoint(file: BinaryIO, head: bytes) -> None:
    """Looks through the checkpoint's pickles before torch does; raises if they want more.

    torch's own list of what is allowed is longer than what tensors need: it lets a file ask for a
    billion bytes by name.
    """
    if head.startswith(LEGACY):
        # A number, the protocol, the machine, then the tensors' names and shapes, then keys.
        for _ in range(5):
            _check_opcodes(file)
    elif head.startswith(ZIPPED):
        with zipfile.ZipFile(file) as archive:
            # Members that share their bytes would let a small file fill the memory.
            if sum(member.file_size for member in archive.infolist()) > _size(file):
                raise pickle.UnpicklingError("larger inside")
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise pickle.UnpicklingError("compressed")
            (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            _check_opcodes(io.BytesIO(archive.read(name)))
    else:
        raise pickle.UnpicklingError("neither format")


def _check_opcodes(file: BinaryIO) -> None:
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name not in CHECKPOINT_OPCODES:
            raise pickle.UnpicklingError(f"it uses {opcode.name}")
        if opcode.name == "GLOBAL" and not CHECKPOINT_GLOBALS.fullmatch(argument):
            raise pickle.UnpicklingError(f"it asks for {argument.replace(' ', '.')}")


def _state(path: Path, found: Any) -> dict[str, Tensor]:
    """The state dict in what torch loaded."""
    import torch

    if isinstance(found, dict) and isinstance(found.get("netG"), dict):
        found = found["netG"]
    if not isinstance(found, dict) or not found:
        raise UserError(
            f"{path}: this checkpoint is empty, a decoy without weights. Get it from elsewhere."
        )
    if all(isinstance(name, str) and name.startswith("module.") for name in found):
        found = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise UserError(f"{path}: {str(name)[:80]!r} in this checkpoint is not a tensor.")
        # A small file may claim a huge tensor by counting the same numbers again and again.
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise UserError(f"{path}: {name} claims to be larger than the file.")
        if not torch.isfinite(tensor).all():
            raise UserError(f"{path}: {name} holds values that are not finite (NaN or infinity).")
    return {name: tensor.detach() for name, tensor in found.items()}
