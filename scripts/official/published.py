"""The published files of a bundle: what its bundle.yaml and the lock beside it say of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from scripts.errors import UserError
from scripts.untrusted.texts import read_yaml

SCHEMA = Path(__file__).parent.parent.parent / "rules" / "schemas" / "bundle.schema.yaml"


@dataclass(frozen=True)
class Source:
    """An address, and, if a zip archive is there, the wanted file's name in it."""

    url: str
    member: str = ""


@dataclass(frozen=True)
class Original:
    """A published file, as `official: files:` in a bundle.yaml describes it."""

    kind: str  # checkpoint or pickle: what its first bytes must look like
    sources: tuple[Source, ...]
    size: int | tuple[int, int] | None = None  # bytes; a pair is an estimate, and only warned about
    digests: Mapping[str, str] = field(default_factory=dict)  # sha256, git_blob

    @classmethod
    def from_entry(cls, entry: Mapping) -> "Original":
        """Reads one entry of `official: files:`."""
        size = entry.get("size")
        return cls(
            kind=entry["kind"],
            sources=tuple(Source(**source) for source in entry["sources"]),
            size=tuple(size) if isinstance(size, list) else size,
            digests={name: entry[name] for name in ("sha256", "git_blob") if name in entry},
        )


def originals(folder: Path | str) -> dict[str, Original]:
    """The published files that make the bundle in this folder, by file name. Raises UserError."""
    files = _official(Path(folder)).get("files", {})
    return {name: Original.from_entry(entry) for name, entry in files.items()}


def _official(folder: Path) -> dict:
    """The `official` section of the bundle.yaml in a folder, if it has one. Raises UserError."""
    path = folder / "bundle.yaml"
    said = read_yaml(path)
    found = said.get("official", {}) if isinstance(said, dict) else None
    if found == {}:
        return {}
    from jsonschema import Draft202012Validator

    whole = yaml.safe_load(SCHEMA.read_text("utf-8"))
    schema = {**whole["properties"]["official"], "$defs": whole["$defs"]}
    if error := next(Draft202012Validator(schema).iter_errors(found), None):
        place = ".".join(["official", *map(str, error.path)])
        raise UserError(f"{path}: {place} is not as it must be ({error.message[:200]}).")
    for name in (name for names in found["parts"].values() for name in names):
        if name not in found["files"]:
            raise UserError(f"{path}: official.parts names {name}, which official.files lacks.")
    return found


def published(models: Path | str) -> dict[str, dict[str, list[str]]]:
    """For each bundle that is made from published files: the paths of each part's files.

    A bundle whose bundle.yaml is broken is left out; whoever plays with it is told why.
    """
    found = {}
    for path in sorted(Path(models).glob("*/bundle.yaml")):
        try:
            parts = _official(path.parent).get("parts", {})
        except UserError:
            continue
        if parts:
            found[path.parent.name] = {
                part: [str(path.with_name(name)) for name in names] for part, names in parts.items()
            }
    return found


def missing(models: Path | str) -> list[str]:
    """The paths of all published files that are not there yet, to be downloaded."""
    parts = [files for bundle in published(models).values() for files in bundle.values()]
    return [path for files in parts for path in files if not Path(path).exists()]
