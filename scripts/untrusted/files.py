"""Opening a stranger's file, and telling what it seems to be by its first bytes."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from scripts.errors import UserError

MIB = 1024 * 1024
HEAD = 1024  # bytes that tell what a file is

FORMATS = {  # of pictures, as Pillow calls them: the endings of their files
    "JPEG": (".jpg", ".jpeg", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "JPEG2000": (".jp2", ".j2k", ".jpf", ".jpx"),
}
MAGIC = (  # first bytes of the picture formats that are read, by Pillow's names
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
PICTURES = tuple(ending for endings in FORMATS.values() for ending in endings)
TEXT = ".txt"
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

OTHERS = (  # the beginnings of what people and servers take for something else
    (b"version https://git-lfs", "a Git LFS pointer, not the file that it stands for"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript drawing"),
    (b"8BPS", "a Photoshop picture"),
    (b"gimp xcf", "a GIMP picture"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\x1a\x45\xdf\xa3", "a film"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x00\x05\x16\x07", "a note of macOS about another file"),
)


def is_picture(path: Path | str) -> bool:
    """Whether a file's name says that it is a picture of a format that is read."""
    return Path(path).suffix.lower() in PICTURES


def is_text(path: Path | str) -> bool:
    """Whether a file's name says that it is a text."""
    return Path(path).suffix.lower() == TEXT


def picture_format(head: bytes) -> str:
    """Pillow's name for the format of the picture that begins like this; "" if it is not read."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        if head[8:12] in (b"avif", b"avis") or b"avif" in head[16:64]:
            return "AVIF"
        return "HEIF" if head[8:12] in HEIF_BRANDS else ""
    return next((name for magic, name in MAGIC if head.startswith(magic)), "")


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
    if (name := picture_format(head)) and name != "BMP":  # two letters tell little
        return f"{'an' if name == 'AVIF' else 'a'} {name} picture"
    if head[4:8] == b"ftyp":
        return "a film"
    return next((name for magic, name in OTHERS if head.startswith(magic)), "")


def file_size(file: BinaryIO) -> int:
    """The size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size


def open_file(path: Path, most: int, *, empty: bool = False) -> BinaryIO:
    """Opens a regular file of at most `most` bytes, and not of none unless it may be `empty`.

    Raises UserError. Nothing is waited for, as a named pipe would have it.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise UserError(f"{path}: this file cannot be opened ({error.strerror}).") from None
    except ValueError:  # a NUL in its name
        raise UserError(f"{str(path)!r}: this is not the name of a file.") from None
    file = os.fdopen(number, "rb") if stat.S_ISREG(os.fstat(number).st_mode) else None
    if file is None:
        os.close(number)
        raise UserError(f"{path}: this is not a file.")
    size = file_size(file)
    if (not size and not empty) or size > most:
        file.close()
        if not size:
            raise UserError(f"{path}: this file is empty; put something into it, or delete it.")
        raise UserError(f"{path}: this file has {size:,} bytes; more than {most:,} are not opened.")
    return file
