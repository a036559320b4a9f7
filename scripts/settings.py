"""Settings that people write: checked against a closed schema, wrong ones explained in words."""

import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from scripts.chains import near
from scripts.errors import UserError
from scripts.untrusted.texts import read_yaml

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "object": "a section of settings",
    "array": "a list",
}


NUMBER = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
LONGEST = 80  # letters of a wrong value that are shown


class _Loader(yaml.SafeLoader):
    """YAML's plain values; what only looks like a number or a date stays the text that it is."""


def _or_text(construct: Callable[[yaml.SafeLoader, yaml.Node], Any]) -> Callable:
    def constructed(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
        try:
            return construct(loader, node)
        except ValueError:  # the 13th month, a number of 5,000 digits
            return node.value

    return constructed


for _kind in ("int", "float", "timestamp"):
    _Loader.add_constructor(
        f"tag:yaml.org,2002:{_kind}", _or_text(getattr(_Loader, f"construct_yaml_{_kind}"))
    )


def read(path: Path | str, schema: Path | str) -> dict[str, Any]:
    """The settings in a YAML file. Raises UserError if it cannot be read or breaks the schema."""
    settings = fit(load(path))
    check(settings, schema, str(path))
    return settings


def load(path: Path | str) -> Any:
    """What a YAML file holds; no settings if that is nothing. Raises UserError."""
    settings = read_yaml(path, _Loader)
    return {} if settings is None else settings


def check(settings: Any, schema: Path | str | dict[str, Any], name: str) -> None:
    """Raises UserError, naming every setting that breaks the schema (or the YAML file of one)."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(
        schema if isinstance(schema, dict) else load_schema(str(schema))
    )
    broken = sorted(validator.iter_errors(settings), key=lambda error: list(map(str, error.path)))
    found = [line for error in broken for line in _explain(error)]
    if found:
        # Each property that is missing is an error of its own, explained by the same line.
        raise UserError("\n".join(f"{name}: {line}" for line in dict.fromkeys(found)))


def fit(value: Any) -> Any:
    """The same settings, each number in the one way to write it.

    Whole numbers are whole (100.0 and 1.0e+2 are 100); what is no number, as .nan, is text.
    """
    if isinstance(value, dict):
        return {str(key): fit(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [fit(inner) for inner in value]
    if isinstance(value, float):
        return (int(value) if value.is_integer() else value) if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, int | str) else str(value)


def read_numbers(value: Any, schema: dict[str, Any]) -> Any:
    """The same settings, with numbers, true and false for texts where the schema wants them.

    (What is inside of a section comes from the command line as text: captioner='{beam: 5}'.)
    """
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return {key: read_numbers(inner, known.get(key, {})) for key, inner in value.items()}
    if isinstance(value, list):
        return [read_numbers(inner, schema.get("items", {})) for inner in value]
    kinds = schema.get("type", "string")
    wanted = {"integer", "number"} & ({kinds} if isinstance(kinds, str) else set(kinds))
    if wanted and isinstance(value, str) and NUMBER.fullmatch(value):
        return int(value) if value.isdigit() else fit(float(value))
    if kinds == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def filled(settings: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The same settings, in the schema's order, with the defaults that they leave out.

    So it makes no difference whether a default is written out. A section that is left out as a
    whole stays so, unless it has a default itself.
    """
    found: dict[str, Any] = {}
    for key, entry in schema.get("properties", {}).items():
        if isinstance(value := settings.get(key, entry.get("default")), dict):
            found[key] = filled(value, entry)
        elif key in settings or "default" in entry:
            found[key] = value
    return {**found, **{key: value for key, value in settings.items() if key not in found}}


def defaults(schema: Path | str) -> dict[str, Any]:
    """The settings that have a default, with it."""
    return filled({}, load_schema(str(schema)))


@lru_cache
def load_schema(path: str) -> dict[str, Any]:
    """A JSON schema that is written as YAML."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def _explain(error: Any) -> Iterator[str]:
    """One sentence for each setting that is wrong."""
    where = ".".join(map(str, error.path))
    known = error.schema.get("properties", {})
    if error.validator == "additionalProperties":
        for key in sorted(map(str, set(error.instance) - set(known))):
            close = near(key, known)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
            yield f"there is no setting {f'{where}.{key}' if where else key}. {hint}"
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        yield f"{f'{where} lacks' if where else 'it lacks'} {', '.join(missing)}."
    else:
        wanted = error.schema.get("errorMessage") or _wanted(error)
        yield f"{where or 'the whole'} is {_shown(error.instance)}; it must be {wanted}."


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _wanted(error: Any) -> str:
    """What a value must be, in words."""
    if error.validator == "type":
        kinds = [error.validator_value] if isinstance(error.validator_value, str) else []
        return " or ".join(KINDS.get(kind, kind) for kind in kinds or error.validator_value)
    if error.validator == "minimum":
        return f"at least {error.validator_value}"
    if error.validator == "maximum":
        return f"at most {error.validator_value}"
    if error.validator == "enum":
        return f"one of {', '.join(map(str, error.validator_value))}"
    return f"what the schema says ({error.message})"
