"""Tables: tab-separated files with a heading; NA where there is no value."""

import csv
from collections.abc import Sequence
from pathlib import Path

from scripts.errors import UserError
from scripts.files import written

NA = "NA"
# Columns of texts that are always there: a caption "NA" or "7" is neither a gap nor a number.
TEXTS = ("caption", "ends_in", "chain", "image", "bundle", "encoder", "other", "first", "theme")
WORDS = (
    "note",
    "measure",
    "mapping",
    "attribute",
    "value",
    "to",
    "curve",
    "what",
    "reference",
)  # or NA
# Of an attribute's columns: whether its value is that of round 1, that of the base, and the latter.
KEPT, TRUE, BASE = ENDINGS = ("_kept", "_true", "_base")
Value = float | int | str | None
Row = dict[str, Value]


def write_rows(rows: Sequence[Row], table: Path | str) -> None:
    """Write rows with the same names as a table; None becomes NA."""
    with written(table) as part, part.open("w", encoding="utf-8", newline="") as lines:
        out = csv.writer(lines, delimiter="\t", lineterminator="\n")
        out.writerow(rows[0])
        out.writerows([_cell(value) for value in row.values()] for row in rows)


def _cell(value: Value) -> str:
    if value is None:
        return NA
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def read_rows(table: Path | str) -> list[Row]:
    """What write_rows wrote. Raises UserError if it is no such table."""
    try:
        with open(table, encoding="utf-8", newline="") as lines:
            rows = [*csv.DictReader(lines, delimiter="\t")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table}: this table cannot be read ({error}).") from None
    if not rows:
        raise UserError(f"{table}: this table is empty; delete it, and it is made anew.")
    attributes = [name.removesuffix(KEPT) for name in rows[0] if name.endswith(KEPT)]
    said = {*attributes, *(name + BASE for name in attributes)}
    return [{name: _value(name, cell, said) for name, cell in row.items()} for row in rows]


def _value(name: str, cell: str, said: set[str]) -> Value:
    if name in TEXTS:
        return cell
    if cell == NA:
        return None
    if name in WORDS or name in said:  # what captions say of an attribute is a word, "2" as well
        return cell
    try:
        return float(cell) if "." in cell else int(cell)
    except ValueError:
        return cell
