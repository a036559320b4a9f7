"""Pickled vocabularies, taken apart without running anything that they name."""

from __future__ import annotations

import io
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.untrusted.files import HEAD, MIB, guess, open_file

MAX_BYTES = 64 * MIB  # the largest official one has about 20
MAX_THINGS = (
    2_000_000  # containers and notes of them: one byte of a pickle makes up to 130 in memory
)
MAX_ID = 1 << 31  # of a word; larger numbers as keys could be made to collide


class Record:
    """Stands for an object of a class that only holds data: what it holds, not what it does."""

    def __init__(self, *_: Any) -> None:
        pass


class _Type:
    """Stands for a type that something names without building anything from it."""


def _reconstructor(kind: Any, base: Any, state: Any) -> Record:
    """What `copy_reg._reconstructor` does for a record."""
    if (kind, base, state) != (Record, object, None):
        raise pickle.UnpicklingError("it builds something else than a vocabulary")
    return Record()


def _ordered(items: Any = ()) -> dict:
    """What OrderedDict and Counter build: a dictionary."""
    pairs = items.items() if isinstance(items, dict) else [(key, value) for key, value in items]
    for key, _ in pairs:
        _check_key(key)
    return dict(pairs)


def _default(*_: Any) -> dict:
    """What defaultdict builds from the type of its values."""
    return {}


class _Dtype(Record):
    """Stands for numpy.dtype: the kind and the size of a number."""

    def __init__(self, code: str, *_: Any) -> None:
        self.kind, self.size = code[:1], int(code[1:3])


def _scalar(dtype: Any, data: Any) -> int | float:
    """What numpy pickles a single number as."""
    content = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(dtype, _Dtype) or len(content) != dtype.size or dtype.size > 8:
        raise pickle.UnpicklingError("it holds an unknown kind of number")
    if dtype.kind in ("i", "u"):
        return int.from_bytes(content, "little", signed=dtype.kind == "i")
    if dtype.kind == "f":
        return 0.0  # a measurement; ids are whole
    raise pickle.UnpicklingError("it holds an unknown kind of number")


def _encoded(text: str, encoding: str) -> bytes:
    """How Python 3 pickles bytes for Python 2."""
    return text.encode("latin1") if encoding == "latin1" else b""


VOCABULARY = re.compile(r"(\w+\.)*(build_?)?vocab(ulary)?", re.IGNORECASE)  # of any module
GLOBALS: dict[str, Any] = {
    "copy_reg._reconstructor": _reconstructor,
    "copyreg._reconstructor": _reconstructor,
    "__builtin__.object": object,
    "builtins.object": object,
    "collections.OrderedDict": _ordered,
    "collections.Counter": _ordered,
    "collections.defaultdict": _default,
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "_codecs.encode": _encoded,
    **{
        f"{module}.{name}": _Type
        for module in ("__builtin__", "builtins")
        for name in ("int", "long", "float", "str", "unicode", "list", "dict", "set")
    },
}

OPCODES = """
    PROTO FRAME STOP MARK POP POP_MARK DUP GLOBAL STACK_GLOBAL REDUCE BUILD NEWOBJ
    NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES
    EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT DICT SETITEM SETITEMS
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3
    PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
""".split()  # noqa: SIM905
COUNTED = """
    MARK EMPTY_LIST LIST EMPTY_DICT DICT TUPLE TUPLE1 TUPLE2 TUPLE3 REDUCE NEWOBJ
    PUT BINPUT LONG_BINPUT MEMOIZE
""".split()  # noqa: SIM905


class _PlainUnpickler(pickle._Unpickler):
    """Reads pickles of plain data, and refuses every other opcode and every other name.

    Python's own unpickler in Python, not the faster one in C: that one sets aside memory for
    whatever number a file claims, so that ten bytes could ask for 32 GiB.
    """

    left = MAX_THINGS

    def find_class(self, module: str, name: str) -> Any:
        asked = f"{module}.{name}"
        if asked in GLOBALS:
            return GLOBALS[asked]
        if VOCABULARY.fullmatch(name):
            return Record
        raise pickle.UnpicklingError(f"it asks for {asked}")

    def load_build(self) -> None:
        state = self.stack.pop()
        if type(self.stack[-1]) is _Dtype:  # byte order and the like
            return
        if type(self.stack[-1]) is not Record or type(state) is not dict:
            raise pickle.UnpicklingError("it fills something else than a vocabulary")
        self.stack[-1].__dict__.update(state)

    def load_newobj(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        if kind in (_ordered, _default):
            self.append({})
        elif kind is Record and arguments == ():
            self.append(Record())
        else:
            raise pickle.UnpicklingError("it builds something else than a vocabulary")

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


def _counted(load: Callable[[Any], None]) -> Callable[[Any], None]:
    """An opcode of which a pickle may use no more than MAX_THINGS together with its like."""

    def counted(unpickler: Any) -> None:
        unpickler.left -= 1
        if unpickler.left < 0:
            raise pickle.UnpicklingError(f"it holds more than {MAX_THINGS:,} lists and the like")
        load(unpickler)

    return counted


def _dispatch() -> dict[int, Callable[[Any], None]]:
    """What each opcode that is known does."""
    own = {
        "BUILD": _PlainUnpickler.load_build,
        "NEWOBJ": _PlainUnpickler.load_newobj,
        "SETITEM": _PlainUnpickler.load_setitem,
        "SETITEMS": _PlainUnpickler.load_setitems,
        "DICT": _PlainUnpickler.load_dict,
    }
    table = {}
    for name in OPCODES:
        code = getattr(pickle, name)[0]
        load = own.get(name, pickle._Unpickler.dispatch[code])
        table[code] = _counted(load) if name in COUNTED else load
    return table


_PlainUnpickler.dispatch = _dispatch()


def _check_key(key: Any) -> None:
    if type(key) is not str and not (type(key) is int and abs(key) < MAX_ID):
        raise pickle.UnpicklingError("it holds a dictionary whose keys are not words or numbers")


VOCABULARY_ADVICE = (
    "Load it where it was made, and pickle its words and numbers alone: "
    '{"idx2word": {0: …}, "word2idx": {…: 0}}.'
)


def _load(path: Path) -> Any:
    with open_file(path, MAX_BYTES) as file:
        content = file.read()
    try:
        # Python 2 wrote words as bytes; latin1 takes any, and `_word` puts UTF-8 right.
        return _PlainUnpickler(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:
        raise refused(
            path, content[:HEAD], "a pickle of plain data", error, VOCABULARY_ADVICE
        ) from None


# Modules that no data needs; all others are classes of somebody's own program.
DATA_MODULES = {"argparse", "collections", "datetime", "decimal", "enum", "fractions", "pathlib"}
DATA_MODULES |= {"__main__", "copyreg", "_codecs", "random", "types", "uuid"}
STANDARD = (sys.stdlib_module_names | {"__builtin__", "copy_reg", "commands"}) - DATA_MODULES
PLAIN_TYPES = """
    bool bytearray bytes complex dict float frozenset int list long range set slice str tuple xrange
""".split()  # noqa: SIM905


def refused(path: Path, head: bytes, wanted: str, error: Exception, advice: str) -> UserError:
    """The message for a file that is not, or not only, what was wanted."""
    if known := guess(head):
        return UserError(f"{path}: this is {known}. Download it again, or from elsewhere.")
    reason = str(error)
    if isinstance(error, pickle.UnpicklingError) and reason.startswith("it "):
        asked = reason.partition("it asks for ")[2]
        module, _, name = asked.rpartition(".")
        own = asked and module.partition(".")[0] not in STANDARD
        if own or (module in ("builtins", "__builtin__") and name in PLAIN_TYPES):
            return UserError(
                f"{path}: refused, and nothing of it was run: {reason}, which is not read here. "
                f"{advice}"
            )
        return UserError(
            f"{path}: refused, and nothing of it was run: {reason}, which {wanted} never needs. "
            "Delete this file, and do not trust where it came from."
        )
    return UserError(
        f"{path}: this is not {wanted}, or it is damaged or cut short. Download it again."
    )


# --- vocabularies

# What the two lists of a vocabulary are called: by yunjey's captioner, by AttnGAN, by others.
WORDS = ("idx2word", "ixtoword", "itos", "index2word", "id2word", "i2w")
NUMBERS = ("word2idx", "wordtoix", "stoi", "word2index", "word2id", "w2i")


def load_vocabulary_pickle(path: Path | str) -> list[str]:
    """The words of yunjey's `vocab.pkl`, by their number. Raises UserError.

    Of any class called Vocabulary, or of a plain dictionary with the same two entries.
    """
    path = Path(path)
    return _words_by_number(path, *_both_lists(_load(path)))


def load_captions_pickle(path: Path | str) -> list[str]:
    """The words of AttnGAN's `captions.pickle`, by their number. Raises UserError.

    That file is a list of training captions, test captions, words by number, numbers by word.
    """
    path = Path(path)
    found = _load(path)
    whole = isinstance(found, list | tuple) and len(found) >= 4
    return _words_by_number(path, *(found[2:4] if whole else _both_lists(found)))


def _both_lists(found: Any) -> tuple[Any, Any]:
    """Words by number and numbers by word, as far as they are there."""
    fields = vars(found) if isinstance(found, Record) else found
    fields = fields if isinstance(fields, dict) else {}
    return tuple(
        next((fields[name] for name in names if name in fields), None) for names in (WORDS, NUMBERS)
    )


def _words_by_number(path: Path, words: Any, numbers: Any) -> list[str]:
    """Checks that both dictionaries describe one numbering, and gives its words in order."""
    words = dict(enumerate(words)) if isinstance(words, list) else words
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
