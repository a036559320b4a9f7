"""The one package that opens files of strangers: pictures, texts, pickles, torch checkpoints.

Whatever is in them, a function here returns what it promises or raises UserError, and nothing that
a file says is ever run: a pickle is taken apart by an interpreter that knows only plain containers,
numbers, strings and one empty class.
"""

from scripts.untrusted.checkpoints import LEGACY, ZIPPED, load_checkpoint
from scripts.untrusted.files import FORMATS, MIB, guess, open_file
from scripts.untrusted.pickles import load_captions_pickle, load_vocabulary_pickle
from scripts.untrusted.pictures import open_picture, read_notes
from scripts.untrusted.texts import (
    MAX_TEXT,
    decode,
    is_plain,
    parse_json,
    read_bytes,
    read_json,
    read_text,
    read_yaml,
)

__all__ = [
    "FORMATS",
    "MAX_TEXT",
    "MIB",
    "decode",
    "LEGACY",
    "ZIPPED",
    "guess",
    "is_plain",
    "load_captions_pickle",
    "load_checkpoint",
    "load_vocabulary_pickle",
    "open_file",
    "open_picture",
    "parse_json",
    "read_bytes",
    "read_json",
    "read_notes",
    "read_text",
    "read_yaml",
]
