"""Tables: tab-separated files with a heading; NA where there is no value."""

import csv
from collections.abc import Sequence
from pathlib import Path

from scripts.errors import UserError
from scripts.files import written

NA = "NA"
TEXTS = ("caption", "ends_in", "chain", "image", "bundle", "first", "note")  # never numbers
Value = float | int | str | None
Row = dict[str, Value]


def write_rows(rows: Sequence[Row], table: Path | str) -> None:
    """Write rows with the same names as a table; None becomes NA."""
    with written(table) as half, half.open("w", encoding="utf-8", newline="") as lines:
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
    return [{name: _value(name, cell) for name, cell in row.items()} for row in rows]


def _value(name: str, cell: str) -> Value:
    if cell == NA:
        return None
    if name in TEXTS:
        return cell
    try:
        return float(cell) if "." in cell else int(cell)
    except ValueError:
        return cell
