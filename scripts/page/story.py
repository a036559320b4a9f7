"""What the page tells of a chain, as plain data for its script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.chains import parse
from scripts.errors import UserError
from scripts.page import thumbnails
from scripts.page.standing import Standing
from scripts.tables import read_rows
from scripts.untrusted.files import is_text
from scripts.untrusted.texts import read_text
from scripts.words import tokenize

WORDS = "words of round 1 that are still said"
MEANING = "nearness to round 1's caption in meaning (cosine)"


def tell(chain: Standing, base: Path | None, seed: int, bundle: str) -> dict[str, Any]:
    """Everything the page says of a chain; `seed` and `bundle` are those of the configuration.

    `base` is the base file, or None where it is gone.
    """
    named = parse(chain.name, seed, bundle)
    rounds = range(1, chain.rounds + 1)
    captions = [chain.text(n) for n in rounds]
    unknown = {n: words for n in rounds if (words := chain.unknown_words(n))}
    kept_of, kept = _kept(chain, captions)
    record = chain.record
    return {
        "name": chain.name,
        "image": named.image,
        "seed": record.get("seed", named.seed),
        "bundle": (record.get("bundle") or {}).get("name", named.bundle),
        "text": _base_text(base),
        "captions": captions,
        "unknown": unknown,
        "unfamiliar": chain.unfamiliar(),
        "attends": record.get("words", []) is not None,  # some painters do not read word by word
        "shown": thumbnails.shown(chain.rounds),
        "kept": [round(share, 3) for share in kept],
        "kept_of": kept_of,
        "figures": list(chain.figures),
        **{kind: list(numbers) for kind, numbers in chain.by_round.items()},
        "made": _made(record),
    }


def kept_words(captions: list[str]) -> list[float]:
    """The share of the first caption's different words that each caption still holds."""
    first = set(tokenize(captions[0]))
    if not first:
        return [1.0 for _ in captions]
    return [len(first & set(tokenize(caption))) / len(first) for caption in captions]


def _kept(chain: Standing, captions: list[str]) -> tuple[str, list[float]]:
    """The curve of the sparkline: from drift.tsv if it is there and complete, or from the words."""
    if "drift.tsv" in chain.figures:
        try:
            rows = read_rows(chain.folder / "drift.tsv")
            curve = [float(row["cosine_first"]) for row in rows]
            same = [row["caption"] for row in rows] == captions
        except (UserError, KeyError, TypeError, ValueError):
            same = False
        if same:
            return MEANING, curve
    return WORDS, kept_words(captions)


def _base_text(base: Path | None) -> str | None:
    if base is None or not is_text(base):
        return None
    try:
        return read_text(base)
    except UserError:
        return None


def _made(record: dict[str, Any]) -> dict[str, str]:
    """How the chain was played, as the record of its first round says."""
    size = record.get("size")
    versions = record.get("versions") or {}
    told = {
        "picture": f"{size[0]} × {size[1]} pixels" if isinstance(size, list) and size else "",
        "device": record.get("device", ""),
        "PyTorch": versions.get("torch", ""),
        "recipe": str(record.get("recipe", ""))[:12],
    }
    return {key: str(value) for key, value in told.items() if value}
