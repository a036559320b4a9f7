from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.errors import UserError
from scripts.words import Vocabulary, encode, tidy, tokenize


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        ("A cow, grazing.", ["a", "cow", "grazing"]),
        ("A MAN'S two-story house_1", ["a", "man", "s", "two", "story", "house_1"]),
        ("a café 东京 naïve", ["a", "caf", "nave"]),
        ("a <unk> on a \ufffd\ufffd field", ["a", "unk", "on", "a", "field"]),
        (" \t\n", []),
    ],
)
def test_the_generator_reads_lower_case_ascii_words(caption: str, tokens: list[str]) -> None:
    assert tokenize(caption) == tokens


# nltk took its expressions to Python's `re` when AttnGAN was published, and takes them to `regex`
# now: the two differ about accents that stand alone and numerals such as "¹", and agree elsewhere.
SET_APART = ("Cs", "Cn", "Cf", "Mn", "Mc", "Me", "No", "So", "Pc")
LETTERS = st.characters(exclude_characters="\u0130", exclude_categories=SET_APART)


@settings(max_examples=200, deadline=None)
@given(st.text(LETTERS | st.sampled_from("_ .a"), max_size=60))
def test_tokens_are_those_of_nltk(caption: str) -> None:
    from nltk.tokenize import RegexpTokenizer

    theirs = RegexpTokenizer(r"\w+").tokenize(caption.lower())
    ascii_only = [token.encode("ascii", "ignore").decode() for token in theirs]
    assert tokenize(caption) == [token for token in ascii_only if token]


def test_unknown_words_are_dropped_and_named_once() -> None:
    vocabulary = Vocabulary(("<end>", "a", "cow"))
    assert encode("a purple cow, a Purple moose", vocabulary) == ([1, 2, 1], ["purple", "moose"])


def test_a_vocabulary_is_a_text_file_whose_line_is_the_number(tmp_path: Path) -> None:
    vocabulary = Vocabulary(("<end>", "a", "o'clock", "caf\u00e9", "with blank", "\x85", "\r"))
    vocabulary.write(tmp_path / "words.txt")
    again = Vocabulary.read(tmp_path / "words.txt")
    assert again == vocabulary
    assert again.index["caf\u00e9"] == 3
    assert again.spell([2, 0]) == ["o'clock", "<end>"]
    assert len(again) == 7


@pytest.mark.parametrize("content", [b"", b"a\nb\na\n", b"\xff\xfe"])
def test_a_broken_vocabulary_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"words\.txt"):
        Vocabulary.read(path)
    with pytest.raises(UserError, match=r"none\.txt"):
        Vocabulary.read(tmp_path / "none.txt")


def test_a_word_that_would_break_its_line_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        Vocabulary(("a", "b\nc"))


def test_text_becomes_one_tidy_line() -> None:
    assert tidy("\ufeff  a  cow\r\n\tgrazes\u2028here\u00a0 ") == "a cow grazes here"
