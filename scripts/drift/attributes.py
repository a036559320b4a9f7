"""What captions say of a scene, attribute by attribute: models/<bundle>/attributes.yaml.

For each attribute, the file has values and, for each value, a regular expression. The first value
whose expression is found in a caption is what the caption says.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts import settings
from scripts.chains import TRUTH
from scripts.errors import UserError
from scripts.tables import ENDINGS, NA, TEXTS

SCHEMA = Path(__file__).parent.parent.parent / "rules" / "schemas" / "attributes.schema.yaml"


@dataclass(frozen=True)
class Attributes:
    """Attributes, their values, and how a value is said."""

    signs: dict[str, dict[str, re.Pattern[str]]]

    @classmethod
    def read(cls, path: Path | str) -> "Attributes":
        """Raises UserError if it cannot be read, an expression is none, or a name is taken."""
        from scripts.drift.measures import MEASURES

        taken = {*TEXTS, *MEASURES, "round", "seed", NA}  # columns of other things
        signs: dict[str, dict[str, re.Pattern[str]]] = {}
        for name, values in settings.read(path, SCHEMA).items():
            columns = {name, *(name + ending for ending in ENDINGS)}
            if columns & taken or name.endswith(ENDINGS):
                raise UserError(
                    f"{path}: an attribute cannot be called {name}, since the tables have a column"
                    " of that name; give it another."
                )
            if NA in values:
                raise UserError(
                    f"{path}: {name}: a value cannot be called {NA}, by which tables mean that"
                    " nothing is said; give it another name."
                )
            signs[name] = {}
            for value, expression in values.items():
                try:
                    signs[name][str(value)] = re.compile(expression, re.IGNORECASE)
                except re.error as error:
                    raise UserError(
                        f"{path}: {name}.{value} is no regular expression ({error})."
                    ) from None
        return cls(signs)

    def said(self, caption: str) -> dict[str, str]:
        """The value of each attribute that a caption tells; "" where it tells none."""
        return {
            name: next((value for value, sign in values.items() if sign.search(caption)), "")
            for name, values in self.signs.items()
        }


@dataclass(frozen=True)
class Truth:
    """What is in base files, from a table beside them: truth.tsv.

    It has the column `image` and the columns of attributes, or `caption`: a text that says it.
    """

    rows: Mapping[str, Mapping[str, str]]  # by image

    @classmethod
    def read(cls, folder: Path | str) -> "Truth":
        """The table in a folder, if there is one. Raises UserError if it is no such table."""
        path = Path(folder) / TRUTH
        if not path.exists():
            return cls({})
        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                table = csv.DictReader(lines, delimiter="\t", restkey="")
                rows = [*table]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{path}: this table cannot be read ({error}).") from None
        if "image" not in (table.fieldnames or ()) or len(table.fieldnames) < 2:
            raise UserError(
                f"{path}: expected the column image, and a column of each attribute or caption,"
                " with tabs between them."
            )
        found: dict[str, Mapping[str, str]] = {}
        for number, row in enumerate(rows, 2):
            if "" in row or None in row.values():
                raise UserError(f"{path}: line {number} has not as many cells as the first line.")
            if row["image"] in found:
                raise UserError(f"{path}: {row['image']} is there twice.")
            found[row["image"]] = {
                name: cell for name, cell in row.items() if name != "image" and cell not in ("", NA)
            }
        return cls(found)

    def of(self, image: str, attributes: Attributes | None) -> dict[str, str]:
        """The attributes that a base is known to have; none, if nothing is known of it."""
        row = self.rows.get(image, {})
        if not attributes or not row:
            return {}
        said = attributes.said(row["caption"]) if "caption" in row else {}
        known = {name: row.get(name, said.get(name, "")) for name in attributes.signs}
        return {name: value for name, value in known.items() if value}
