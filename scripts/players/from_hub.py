"""Players whose networks are a model of a hub, or lie in a folder of the user's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import hub
from scripts.errors import UserError
from scripts.once import once

if TYPE_CHECKING:
    from scripts.bundles import Bundle

# Of requirements-models.txt, which the game itself does without.
PACKAGES = ("diffusers", "accelerate", "sentencepiece", "protobuf", "num2words")


class FromHub:
    """What such players share; to be inherited from beside Captioner or Painter."""

    bundle: Bundle
    role: str

    @property
    def own(self) -> dict[str, Any]:
        """The section of bundle.yaml that is called like the role."""
        return self.bundle.settings[self.role]

    @property
    def settings(self) -> dict[str, Any]:
        """Those of every player; the newest revision is what no revision means."""
        newest = self.own.get("revision") == hub.NEWEST
        own = {key: v for key, v in self.own.items() if not (newest and key == "revision")}
        return {self.role: own}

    @property
    def folder(self) -> Path:
        """Where what is fetched is kept."""
        return self.bundle.folder / self.role

    @property
    def description(self) -> str:
        """What messages begin with."""
        return f"{self.bundle.folder}/bundle.yaml: {self.role}"

    @property
    def dtype(self) -> str:
        return self.own.get("dtype", "float32")

    @property
    def is_fetched(self) -> bool:
        return not hub.is_folder(self.own["model"])

    @property
    def files(self) -> list[Path]:
        """The list of what was fetched, with a digest for each file; or the user's own files."""
        return [self.folder / hub.LIST] if self.is_fetched else self.snapshot().paths

    @property
    def contents_count(self) -> bool:
        """Models are large: their contents are compared when they are played, not at each call."""
        return False

    def digests_now(self) -> dict[str, str]:
        """The sha256 of each file, by role and name in the model."""
        return {f"{self.role}/{name}": found for name, found in self.snapshot().digests().items()}

    def provenance(self) -> dict[str, Any]:
        return {
            **super().provenance(),
            "model": self.own["model"],
            "commit": self.snapshot().commit,
        }

    def snapshot(self) -> hub.Snapshot:
        """The model's files. Raises FileNotFoundError if they are yet to be fetched."""
        if self.is_fetched:
            try:
                return hub.fetched(self.folder, self.own["model"], self.own.get("revision"))
            except UserError as error:
                raise UserError(f"{self.description}: {error}") from None
        if "revision" in self.own:
            raise UserError(
                f"{self.description}: a folder has no revisions; delete `revision`, or name a "
                "model on the hub."
            )
        try:
            return hub.own(self.own["model"], self.choose)
        except UserError as error:
            raise UserError(f"{self.description}: {error}") from None

    def fetch(self) -> None:
        """Fetches what is missing of the model's files, and lists them. Raises UserError."""
        hub.fetch(self.own["model"], self.own.get("revision"), self.folder, self.choose)

    def choose(self, names: list[str], read: Callable[[str], Any]) -> list[str]:
        """Those of a model's files that this player needs. Raises hub.Unfit if it cannot play."""
        raise NotImplementedError

    def network(self, device: str) -> Any:
        """What `load` makes of the model: once in a process, and shared by its threads."""
        snapshot = self.snapshot()
        folder = snapshot.folder.absolute()
        key = (type(self), str(folder), json.dumps([snapshot.digests(), self.own]), device)
        size = sum(path.stat().st_size for path in snapshot.paths)
        with self.explained(snapshot.paths):
            return once(key, lambda: self.load(folder, device), size, device)

    def load(self, folder: Path, device: str) -> Any:
        """The networks in a folder, ready to play on a device."""
        raise NotImplementedError

    @contextmanager
    def explained(self, files: Iterable[Path] = ()) -> Iterator[None]:
        """Turns what the libraries say of a model, or of a setting, into one message.

        Damaged weights among the files that are being loaded are named in it.
        """
        from safetensors import SafetensorError

        try:
            yield
        except ImportError as error:
            told = f"{getattr(error, 'name', None)} {error}".lower()
            lacking = [package for package in PACKAGES if package in told]
            if not lacking:
                raise self._refused(error, files) from None
            raise UserError(
                f"{self.description}: the package {lacking[0]} is not installed; "
                "`make models` installs what models of a hub need."
            ) from None
        except hub.Unfit as error:
            raise UserError(f"{self.description}: {self.own['model']}: {error}.") from None
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise self._refused(error, files) from None
        except (RuntimeError, AssertionError, SafetensorError) as error:
            raise self._refused(error, files) from None

    def _refused(self, error: Exception, files: Iterable[Path]) -> UserError:
        if damaged := next((path for path in files if _is_damaged(path)), None):
            return UserError(
                f"{self.description}: {damaged} is damaged or cut short; copy or download it again."
            )
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else type(error).__name__
        return UserError(f"{self.description}: {self.own['model']} cannot play: {reason[:400]}")


def _is_damaged(path: Path) -> bool:
    """Whether a file of weights is not as long as its header says, or has no header."""
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors":
        return False
    try:
        with safe_open(path, "numpy"):
            return False
    except (SafetensorError, OSError):
        return True


def weights(
    names: list[str], read: Callable[[str], Any], stem: str, variant: str | None = None
) -> list[str]:
    """The safetensors files of one network: `stem`.safetensors, or several with their index.

    A variant (fp16) is taken where the model has it. Raises hub.NoSafetensors if there is none.
    """
    for middle in ([f".{variant}"] if variant else []) + [""]:
        if f"{stem}{middle}.safetensors" in names:
            return [f"{stem}{middle}.safetensors"]
        index = f"{stem}.safetensors.index{middle}.json"
        if index in names:
            folder = stem.rpartition("/")[0]
            shards = _shards(read(index), index)
            return [index, *(f"{folder}/{shard}".lstrip("/") for shard in shards)]
    raise hub.NoSafetensors(f"it has no {stem}.safetensors, and other formats are not opened")


def _shards(content: dict[str, Any], index: str) -> list[str]:
    """The files that an index of weights names."""
    named = content.get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        raise hub.Unfit(f"{index} is damaged (it has no weight_map)")
    return sorted(set(named.values()))


def check_tokenizer(words: int, rows: int, name: str) -> None:
    """Raises hub.Unfit unless a tokenizer is as large as the model expects.

    Models round the number of rows up (by less than a tenth); more words than rows cannot be.
    """
    if not 0.9 * rows <= words <= rows:
        raise hub.Unfit(
            f"its {name} has {words:,} tokens, but the model expects {rows:,}; its files are "
            "incomplete, or of another model"
        )
