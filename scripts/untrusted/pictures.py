"""Pictures of strangers, as RGB."""

import io
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from scripts.errors import UserError
from scripts.untrusted.files import FORMATS, HEAD, MIB, guess, open_file, picture_format

MAX_BYTES = 512 * MIB
MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a GiB at three bytes each
MAX_SIDE = 65_535  # as in a JPEG; resizing a longer line takes a memory of its own

ENDINGS = {ending: name for name, endings in FORMATS.items() for ending in endings}
MOVING = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")  # formats whose further frames are worth a note
TITLES = {"HEIF": "HEIC", "JPEG2000": "JPEG 2000"}
KINDS = [TITLES.get(name, name) for name in FORMATS]
READABLE = f"Pictures can be {', '.join(KINDS[:-1])} or {KINDS[-1]} files."

Note = Callable[[str], None]


def open_picture(path: Path | str, note: Note | None = None) -> Image.Image:
    """The picture in a file, as RGB: the first frame, turned as its EXIF note says.

    Transparent parts become white; 16 bits a channel become 8; grey, palette, two-colour and CMYK
    pictures become RGB. Nothing but the formats of FORMATS is opened. `note`, if given, is told if
    there are more frames or pages than the first. Raises UserError.
    """
    path = Path(path)
    with open_file(path, MAX_BYTES) as file:
        head = file.read(HEAD)
        try:
            return _decode(path, file, head, note)
        except UserError:
            raise
        # Decoders meet hostile bytes with nearly any exception; each means the same here.
        except Exception as error:
            if picture_format(head) != "PNG":
                raise _unreadable(path, head, error) from None
            # Pillow refuses large texts and colour profiles, which say nothing about the pixels.
            try:
                return _decode(path, _without_notes(file), head, note)
            except UserError:
                raise
            except Exception:
                raise _unreadable(path, head, error) from None


def read_notes(path: Path | str) -> dict[str, str]:
    """The notes in a PNG, as far as they stand before its pixels. Raises UserError."""
    path = Path(path)
    with open_file(path, MAX_BYTES) as file:
        try:
            with Image.open(file, formats=["PNG"]) as picture:
                return {key: note for key, note in picture.info.items() if isinstance(note, str)}
        except Exception:  # decoders meet hostile bytes with nearly any exception
            raise UserError(f"{path}: this is not a PNG, or a damaged one.") from None


def _decode(path: Path, file: BinaryIO, head: bytes, note: Note | None) -> Image.Image:
    """The first frame; raises UserError for what can be told, and anything for broken bytes."""
    format_ = picture_format(head)
    if not format_:
        raise UnidentifiedImageError
    if format_ == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    file.seek(0)
    with Image.open(file, formats=[format_]) as picture:
        _check_size(path, picture.size)
        _check_ending(path, picture.format)
        if note and picture.format in MOVING and getattr(picture, "is_animated", False):
            note(f"{path}: this picture has several frames; the first one is used.")
        if picture.format == "PNG":  # the only check of a PNG's checksums; it uses it up
            picture.verify()
            file.seek(0)
            picture = Image.open(file, formats=["PNG"])
        picture.load()
        _check_size(path, picture.size)
        return _as_rgb(picture)


def _without_notes(file: BinaryIO) -> BinaryIO:
    """A PNG without its texts and its colour profile."""
    file.seek(0)
    kept = io.BytesIO()
    kept.write(file.read(8))
    while len(start := file.read(8)) == 8:
        (length,) = struct.unpack(">I", start[:4])
        chunk = file.read(length + 4)  # with its checksum
        if start[4:] not in (b"tEXt", b"zTXt", b"iTXt", b"iCCP"):
            kept.write(start + chunk)
    return kept


def _unreadable(path: Path, head: bytes, error: Exception) -> UserError:
    """The message for bytes that no decoder can read."""
    if isinstance(error, Image.DecompressionBombError):
        return _too_many_pixels(path)
    if isinstance(error, MemoryError):
        return UserError(f"{path}: this picture takes more memory than there is. Make it smaller.")
    if name := picture_format(head):
        unknown = isinstance(error, UnidentifiedImageError) or not str(error)
        reason = "" if unknown else f" ({' '.join(str(error).split())})"
        return UserError(
            f"{path}: this {TITLES.get(name, name)} picture is damaged or cut short{reason}. "
            "Save or download it again."
        )
    known = guess(head)
    reason = f"this is {known}" if known else "this is not a picture, or a damaged one"
    return UserError(f"{path}: {reason}. {READABLE}")


def _check_size(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(path, size)
    if max(size) > MAX_SIDE:
        raise UserError(
            f"{path}: this picture is {width:,} by {height:,} pixels; sides of more than "
            f"{MAX_SIDE:,} are not opened. Make it smaller."
        )


def _too_many_pixels(path: Path, size: tuple[int, int] | None = None) -> UserError:
    claims = f"{size[0]} by {size[1]}" if size else "far too many"
    return UserError(
        f"{path}: this picture claims to have {claims} pixels; more than "
        f"{MAX_PIXELS:,} are not opened. Make it smaller."
    )


def _check_ending(path: Path, found: str | None) -> None:
    """Raises UserError if the file's ending promises another format than is in it."""
    found = "JPEG" if found == "MPO" else found  # several JPEG pictures in one file
    promised = ENDINGS.get(path.suffix.lower(), found)
    if found != promised:
        raise UserError(
            f"{path}: the name says {TITLES.get(promised, promised)}, but this is a "
            f"{TITLES.get(found, found)} picture. Rename it to {path.stem}{FORMATS[found][0]}."
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


def _upright(picture: Image.Image) -> Image.Image:
    """The picture as the camera was held; damaged notes say nothing about the pixels."""
    with suppress(Exception):
        ImageOps.exif_transpose(picture, in_place=True)
    return picture


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
