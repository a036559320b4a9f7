"""The published files of a bundle: what its bundle.yaml and the lock beside it say of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from scripts.errors import UserError


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
    """The published files that make the bundle in this folder, by file name."""
    files = _official(Path(folder)).get("files", {})
    return {name: Original.from_entry(entry) for name, entry in files.items()}


def _official(folder: Path) -> dict:
    """The `official` section of the bundle.yaml in a folder, if it has one."""
    try:
        description = yaml.safe_load((folder / "bundle.yaml").read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{folder / 'bundle.yaml'}: this file cannot be read: {error}.") from None
    return (description or {}).get("official", {})


def published(models: Path | str) -> dict[str, dict[str, list[str]]]:
    """For each bundle that is made from published files: the paths of each part's files."""
    found = {}
    for path in sorted(Path(models).glob("*/bundle.yaml")):
        parts = _official(path.parent).get("parts", {})
        if parts:
            found[path.parent.name] = {
                part: [str(path.with_name(name)) for name in names] for part, names in parts.items()
            }
    return found


def missing(models: Path | str) -> list[str]:
    """The paths of all published files that are not there yet, to be downloaded."""
    parts = [files for bundle in published(models).values() for files in bundle.values()]
    return [path for files in parts for path in files if not Path(path).exists()]
