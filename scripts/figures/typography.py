"""How figures set type: one font on every machine, lines that fit, the same sizes and colours."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

GAP = 16  # between panels, and around them; pixels
LABEL, CAPTION = 17, 19  # sizes of type
LEADING = 1.3  # distance of lines, in sizes of type
INK, GREY, FRAME = (25, 25, 25), (120, 120, 120), (215, 215, 215)
NOTE = (138, 90, 0)  # of what somebody should know; 5.8:1 on white


def wrap(text: str, width: int, size: int) -> list[str]:
    """The text in lines of at most `width` pixels; a word that is wider is broken, not cut."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if _fits(longer, width, size):
            line = longer
            continue
        if line:
            lines.append(line)
        while not _fits(word, width, size) and len(word) > 1:
            fits = max(n for n in range(1, len(word)) if n == 1 or _fits(word[:n], width, size))
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line] if line else lines


def _fits(line: str, width: int, size: int) -> bool:
    return font(size).getlength(line) <= width


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along on every machine: Latin, Greek, Cyrillic."""
    # Found without importing matplotlib, which takes half a second.
    fonts = Path(find_spec("matplotlib").submodule_search_locations[0], "mpl-data/fonts/ttf")
    return ImageFont.truetype(fonts / "DejaVuSans.ttf", size)


def leading(size: int) -> int:
    """The distance of lines in this size of type, in pixels."""
    return round(size * LEADING)


def even_rows(number: int, most: int) -> int:
    """How many of `number` things stand in a row, at most `most`, so that rows are even."""
    rows = -(-number // most)
    return -(-number // rows)
