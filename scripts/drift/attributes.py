"""What captions say of a scene, attribute by attribute: models/<bundle>/attributes.yaml.

For each attribute, the file has values and, for each value, a regular expression. The first value
whose expression is found in a caption is what the caption says.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from scripts import settings
from scripts.errors import UserError

SCHEMA = Path(__file__).parent.parent.parent / "rules" / "schemas" / "attributes.schema.yaml"


@dataclass(frozen=True)
class Attributes:
    """Attributes, their values, and how a value is said."""

    signs: dict[str, dict[str, re.Pattern[str]]]

    @classmethod
    def read(cls, path: Path | str) -> "Attributes":
        """Raises UserError if the file cannot be read, or an expression is none."""
        signs: dict[str, dict[str, re.Pattern[str]]] = {}
        for name, values in settings.read(path, SCHEMA).items():
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
