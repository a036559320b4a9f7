"""Puts the measured figures of a bundle into its model card."""

import csv
import math
from pathlib import Path

from scripts.errors import UserError
from scripts.files import written

BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
COMMAND = "snakemake --cores 2 card"


def write(figures: Path | str, card: Path | str) -> None:
    """Put the table of figures.tsv between the two marks of a card; all else stays.

    Shares become percents. Raises UserError if the card has no such marks.
    """
    text = Path(card).read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UserError(
            f"{card}: it has no place for the figures; add the lines {BEGIN!r}, {END!r}."
        )
    with written(card) as part:
        part.write_text(before + begin + table(figures) + end + after, encoding="utf-8")


def _percent(share: float) -> str:
    """One decimal, never rounded up: what is 100 is all of them."""
    return f"{math.floor(1000 * share + 1e-6) / 10:.1f}"


def table(figures: Path | str) -> str:
    """The rows of figures.tsv (who, number, what, figure) as Markdown, a line for each `who`."""
    with open(figures, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    columns = list(dict.fromkeys(row["what"] for row in rows))
    lines = {(row["who"], row["number"]): {} for row in rows}
    for row in rows:
        lines[row["who"], row["number"]][row["what"]] = _percent(float(row["figure"]))
    head = ["in %", "number", *columns]
    body = [
        [who, f"{int(number):,}", *(told.get(c, "") for c in columns)]
        for (who, number), told in lines.items()
    ]
    ruler = ["---"] * len(head)
    made = f"\nMade by `{COMMAND}`.\n\n"
    return made + "".join(f"| {' | '.join(row)} |\n" for row in (head, ruler, *body)) + "\n"
