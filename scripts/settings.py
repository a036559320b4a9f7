"""Settings that people write: checked against a closed schema, wrong ones explained in words."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from scripts.chains import near
from scripts.errors import UserError

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "object": "a section of settings",
    "array": "a list",
}


def read(path: Path | str, schema: Path | str) -> dict[str, Any]:
    """The settings in a YAML file. Raises UserError if it cannot be read or breaks the schema."""
    try:
        settings = yaml.safe_load(Path(path).read_bytes())
    except OSError as error:
        raise UserError(f"{path}: this file cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1} is wrong:" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise UserError(f"{path}:{line} this is not YAML ({problem}).") from None
    check({} if settings is None else settings, schema, str(path))
    return settings or {}


def check(settings: Any, schema: Path | str, name: str) -> None:
    """Raises UserError, naming every setting that breaks the schema (a JSON schema as YAML)."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(load_schema(str(schema)))
    broken = sorted(validator.iter_errors(settings), key=lambda error: list(map(str, error.path)))
    found = [line for error in broken for line in _explain(error)]
    if found:
        raise UserError("\n".join(f"{name}: {line}" for line in found))


def read_numbers(section: Any) -> Any:
    """A section or list of settings in which texts that are whole numbers have become numbers."""
    if isinstance(section, dict):
        return {key: _number(value) for key, value in section.items()}
    return [_number(value) for value in section] if isinstance(section, list) else section


def _number(value: Any) -> Any:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() else value
    return read_numbers(value)


def defaults(schema: Path | str) -> dict[str, Any]:
    """The settings that have a default, with it."""
    properties = load_schema(str(schema))["properties"]
    return {key: entry["default"] for key, entry in properties.items() if "default" in entry}


@lru_cache
def load_schema(path: str) -> dict[str, Any]:
    """A JSON schema that is written as YAML."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def _explain(error: Any) -> Iterator[str]:
    """One sentence for each setting that is wrong."""
    place = ".".join(map(str, error.path))
    known = error.schema.get("properties", {})
    if error.validator == "additionalProperties":
        for key in sorted(map(str, set(error.instance) - set(known))):
            close = near(key, known)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
            yield f"there is no setting {f'{place}.{key}' if place else key}. {hint}"
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        yield f"{f'{place} lacks' if place else 'it lacks'} {', '.join(missing)}."
    else:
        wanted = error.schema.get("errorMessage") or _wanted(error)
        yield f"{place or 'the whole'} is {error.instance!r}; it must be {wanted}."


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
