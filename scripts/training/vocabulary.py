"""Vocabularies counted from captions, as the two original code bases count them."""

from collections import Counter
from collections.abc import Iterable

from nltk.tokenize import NLTKWordTokenizer

from scripts.words import tokenize

SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")


def captioner_tokens(caption: str) -> list[str]:
    """Tokens as the captioner learns them: lower case, nltk's word tokens, punctuation kept."""
    return NLTKWordTokenizer().tokenize(caption.lower())


def captioner_vocabulary(captions: Iterable[str], threshold: int) -> list[str]:
    """The special tokens, then all that occur at least `threshold` times, in alphabetic order."""
    return [*SPECIAL, *_frequent(map(captioner_tokens, captions), threshold)]


def painter_vocabulary(captions: Iterable[str], threshold: int = 1) -> list[str]:
    """`<end>` (which also pads), then the painter's words in alphabetic order."""
    return ["<end>", *_frequent(map(tokenize, captions), threshold)]


def _frequent(sentences: Iterable[list[str]], threshold: int) -> list[str]:
    counts = Counter(token for sentence in sentences for token in sentence)
    return sorted(token for token, count in counts.items() if count >= threshold)
