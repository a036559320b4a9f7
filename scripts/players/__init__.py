"""The players: in each round a captioner describes a picture, and a painter paints the caption.

Each kind of player is one module. It knows its sections of bundle.yaml, its files, what its
results depend on, how it is loaded and how it plays; rules, stages and figures use nothing but what
Captioner and Painter promise here. rules/schemas/players/<kind>.schema.yaml describes the sections.
Such a module imports torch and the like inside the functions that play, so that whoever only plans
a game need not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from scripts.errors import UserError
from scripts.files import check_date, digest
from scripts.settings import load_schema

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from torch import Generator

    from scripts.bundles import Bundle

SCHEMAS = Path(__file__).parent.parent.parent / "rules" / "schemas" / "players"

# The class of each kind, as module:class. A section that names no kind means the first one.
KINDS = {
    "captioner": {
        "cnn_lstm": "scripts.players.cnn_lstm:CnnLstm",
        "transformers": "scripts.players.transformers_captioner:Transformers",
    },
    "painter": {
        "attngan": "scripts.players.attngan:AttnGan",
        "diffusers": "scripts.players.diffusers_painter:Diffusers",
    },
}


Schema = dict[str, Any]  # a JSON schema

FROM = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
    "errorMessage": "the name of a folder in models/",
}


class Player:
    """One role of a bundle.

    `bundle` is the one whose bundle.yaml describes the player and whose folder has its files. That
    need not be the bundle which is played: a role may be taken `from` another one.
    """

    role: ClassVar[str]
    kind: ClassVar[str]
    # The modules that its results depend on, as scripts.closure takes them: its own, and those that
    # are imported on demand.
    code: ClassVar[tuple[str, ...]]
    # Packages that its results depend on, beside torch, torchvision, pillow and safetensors.
    packages: ClassVar[tuple[str, ...]] = ()
    # What a stage takes of memory, unless bundle.yaml says otherwise: `resources: {<role>: …}`.
    memory: ClassVar[int] = 8000  # MB

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    @property
    def settings(self) -> dict[str, Any]:
        """The sections of bundle.yaml that its results depend on, by name."""
        return {self.role: self.bundle.settings[self.role]}

    @property
    def files(self) -> list[Path]:
        """The files that its results depend on, each by a name of its own; they may be missing."""
        raise NotImplementedError

    @property
    def mem_mb(self) -> int:
        """Memory that a stage asks a cluster for."""
        return self._resources.get("mem_mb", self.memory)

    @property
    def gpus(self) -> int:
        """Graphics cards that a cluster's job needs for it."""
        return self._resources.get("gpus", 0)

    @property
    def _resources(self) -> dict[str, int]:
        return self.bundle.settings.get("resources", {}).get(self.role, {})

    @property
    def identity(self) -> tuple[str, str]:
        """Whatever has the same plays with the same networks, in whichever bundle."""
        return self.role, str(self.bundle.folder.absolute())

    @property
    def is_fetched(self) -> bool:
        """Whether a rule makes its files where they are missing."""
        return False

    @property
    def contents_count(self) -> bool:
        """Whether what it has played becomes stale by what is in its files, not by their times.

        Not so where a rule makes them, as they may be yet to come.
        """
        return not self.is_fetched

    def check_dates(self) -> None:
        """Raises UserError if a file is dated in the future: all that is played would be stale."""
        for path in [*self.files, *self.bundle.originals]:
            check_date(path)

    def digests(self) -> dict[str, str]:
        """The sha256 of its files, by their names: what the record holds.

        As they were when this process first asked, which is before anything is loaded.
        """
        return self._first_digests

    @cached_property
    def _first_digests(self) -> dict[str, str]:
        return self.digests_now()

    def digests_now(self) -> dict[str, str]:
        """The same of the files as they are now."""
        return {path.name: digest(path) for path in self.files}

    def check_unchanged(self) -> None:
        """Raises UserError if a file has changed since this process first asked for its digest.

        What was loaded may be what it held before or since: nothing that was made of it is kept.
        """
        now = self.digests_now()
        changed = [name for name, then in self.digests().items() if now.get(name) != then]
        if changed:
            raise UserError(
                f"{self.bundle.folder}: {' and '.join(changed)} changed while it was played with. "
                "Run the same command again, which plays with what is there now."
            )

    def provenance(self) -> dict[str, Any]:
        """What a record says of it beside settings and digests: model, revision, and the like."""
        return {"kind": self.kind, "bundle": self.bundle.name}


@dataclass(frozen=True)
class Said:
    """A caption, and the natural logarithm of its probability: None where a model tells none."""

    caption: str
    log_probability: float | None = None


@dataclass(frozen=True)
class Sampling:
    """How a caption is drawn: from which words, and by whose chance (docs/design.md)."""

    temperature: float
    top_p: float
    chance: Generator


class Captioner(Player):
    """Describes pictures."""

    role = "captioner"
    samples: ClassVar[bool] = False  # whether it can `sample`

    @property
    def familiar(self) -> float | None:
        """The familiarity that pictures like those of its training have; None if not measured."""
        return None

    def familiarity(self, picture: Image, device: str) -> float:
        """How much it finds in an RGB picture; of one that has a level of what is `familiar`."""
        raise NotImplementedError

    def describe(self, pictures: Sequence[Image], device: str, beam: int = 1) -> list[list[Said]]:
        """For each RGB picture up to `beam` captions, the best first as the captioner ranks them.

        Raises UserError if what it computes is not a number.
        """
        raise NotImplementedError

    def sample(self, picture: Image, device: str, drawn: Sampling) -> list[Said]:
        """A caption of an RGB picture that is drawn by chance; of one that `samples`.

        Raises UserError if what it computes is not a number.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Reading:
    """How a painter reads a caption; None where its kind has no such thing."""

    words: list[str] | None = None
    word_ids: list[int] | None = None
    unknown_words: list[str] | None = None
    unread: str | None = None  # the end of a caption that is longer than what it reads


@dataclass(frozen=True)
class Looked:
    """A picture, and what each word of its caption looked at."""

    picture: Image
    words: list[str]  # T of them
    stages: list[np.ndarray]  # (T, s, s) each; the T shares of each place add up to 1


class Painter(Player):
    """Paints captions."""

    role = "painter"

    def read(self, caption: str) -> Reading:
        """How it reads the caption; no words at all (but a list) means that it cannot paint it."""
        raise NotImplementedError

    def paint(
        self, captions: Sequence[str], chance: Sequence[Generator], device: str
    ) -> list[Image]:
        """An RGB picture of each caption, all of whose chance comes from its generator on the CPU.

        Raises UserError if a pixel is not a number.
        """
        raise NotImplementedError

    @property
    def no_attention(self) -> str:
        """Why there are no attention maps, as part a sentence; empty if there are."""
        return f"a painter of the kind {self.kind} has none"

    def look(self, caption: str, chance: Generator, device: str) -> Looked:
        """As `paint`, of one caption, with what each word looked at; unless `no_attention`."""
        raise NotImplementedError


def player_of(bundle: Bundle, role: str) -> Player:
    """The bundle's player in a role, its own or another bundle's.

    Raises UserError if it comes from a bundle that is not there, or in the end from itself.
    """
    at, seen = bundle, [bundle.name]
    while "from" in _section(at.settings, role):
        other = at.settings[role]["from"]
        try:
            if other in seen:
                raise UserError(f"{' from '.join([*seen, other])} goes round in a circle.")
            seen.append(other)
            at = type(bundle).read(other, bundle.folder.parent)
        except UserError as error:
            raise UserError(f"{bundle.folder}/bundle.yaml: {role}: {error}") from None
    return _class(role, _kind(at.settings, role))(at)


def schema(settings: Any, common: Schema, name: str) -> Schema:
    """The schema of a bundle.yaml with these settings: `common` and what its two players know.

    Raises UserError if there is no player of a kind that it names; `name` is the file's.
    """
    whole = {**common, "properties": dict(common["properties"]), "required": []}
    for role, kinds in KINDS.items():
        if "from" in _section(settings, role):
            whole["properties"][role] = _closed({"from": FROM})
            _forget_resources(whole, role)  # they are told where the role comes from
            continue
        kind = _kind(settings, role)
        if not isinstance(kind, str) or kind not in kinds:
            known = ", ".join(kinds)
            raise UserError(f"{name}: {role}.kind is {kind!r}; it must be one of {known}.")
        own = load_schema(str(SCHEMAS / f"{kind}.schema.yaml"))
        whole["properties"] |= own["properties"]
        named = own["properties"].get(role, _closed({}))
        known = {"kind": {"const": kind, "default": kind}, **named["properties"]}
        whole["properties"][role] = {**named, "properties": known}
        whole["required"] += own["required"]
    return whole


def _forget_resources(whole: Schema, role: str) -> None:
    """Takes away what a bundle may say of the resources of a role."""
    resources = whole["properties"]["resources"]
    others = {name: own for name, own in resources["properties"].items() if name != role}
    whole["properties"]["resources"] = {**resources, "properties": others}


def _closed(properties: Schema) -> Schema:
    """The schema of a section that holds nothing else."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _section(settings: Any, role: str) -> dict[str, Any]:
    """The role's section of a bundle.yaml, whatever else is written there."""
    own = settings.get(role) if isinstance(settings, dict) else None
    return own if isinstance(own, dict) else {}


def _kind(settings: Any, role: str) -> Any:
    return _section(settings, role).get("kind", next(iter(KINDS[role])))


def _class(role: str, kind: str) -> type[Player]:
    module, _, name = KINDS[role][kind].partition(":")
    return getattr(import_module(module), name)
