"""Words and their numbers: vocabularies, the generator's tokens, tidy lines of text."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scripts.errors import UserError
from scripts.untrusted.files import MIB, open_file

MAX_BYTES = 16 * MIB  # of a vocabulary; the published ones have a quarter of one

# What nltk's RegexpTokenizer(r"\w+") finds, without the 0.3 to 2 s that importing nltk takes.
TOKEN = re.compile(r"\w+", re.UNICODE | re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Vocabulary:
    """The words that a network knows; a word's place is its number.

    Raises ValueError if a word is there twice or cannot stand on a line of its own.
    """

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.words)) < len(self.words):
            twice = next(word for word in self.words if self.words.count(word) > 1)
            raise ValueError(f"the word {twice!r} is there twice")
        broken = next((word for word in self.words if "\n" in word), None)
        if broken is not None:
            raise ValueError(f"the word {broken!r} holds a line break")

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def index(self) -> dict[str, int]:
        """The number of each word."""
        return {word: number for number, word in enumerate(self.words)}

    def spell(self, numbers: Iterable[int]) -> list[str]:
        """The words with these numbers."""
        return [self.words[number] for number in numbers]

    def text(self) -> str:
        """One word a line, in the order of their numbers."""
        return "".join(f"{word}\n" for word in self.words)

    @classmethod
    def read(cls, path: Path | str) -> "Vocabulary":
        """Reads a text file: UTF-8, one word a line, line number = the word's number.

        Raises UserError if there is no such file, or it is no vocabulary.
        """
        try:
            # Bytes, since opening as text would turn a carriage return into a line break.
            with open_file(Path(path), MAX_BYTES) as file:
                text = file.read().decode("utf-8")
            return cls(tuple(text.removesuffix("\n").split("\n")))
        except OSError as error:
            raise UserError(f"{path}: this vocabulary cannot be read ({error.strerror}).") from None
        except ValueError as error:  # UnicodeDecodeError is one
            raise UserError(
                f"{path}: this is not a vocabulary, one word a line: {error}."
            ) from None

    def write(self, path: Path | str) -> None:
        """Writes the text file that `read` reads."""
        Path(path).write_bytes(self.text().encode("utf-8"))


def printable(text: str) -> str:
    """The text without halves of characters, and without control characters that are no blanks."""
    kept = (one for one in text if one.isspace() or unicodedata.category(one) not in ("Cc", "Cs"))
    return "".join(kept)


def tidy(text: str) -> str:
    """The text as one line: no byte order mark, blanks and line breaks of any kind as one blank."""
    return " ".join(text.removeprefix("\ufeff").split())


def tokenize(caption: str) -> list[str]:
    r"""The generator's tokens of a caption: lower-case runs of \w, ASCII characters only.

    As AttnGAN read captions: a letter that is not ASCII is left out of its word ("café" is read as
    "caf"), a word of nothing else is left out altogether.
    """
    tokens = (token.encode("ascii", "ignore").decode() for token in TOKEN.findall(caption.lower()))
    return [token for token in tokens if token]


def encode(caption: str, vocabulary: Vocabulary) -> tuple[list[int], list[str]]:
    """The numbers of the caption's words, and the words that the vocabulary lacks.

    Unknown words are dropped from the numbers, and named once each, in the caption's order.
    """
    tokens = tokenize(caption)
    known = [vocabulary.index[token] for token in tokens if token in vocabulary.index]
    unknown = [token for token in tokens if token not in vocabulary.index]
    return known, list(dict.fromkeys(unknown))
