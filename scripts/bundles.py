"""Bundles: everything that depends on training, read from models/<bundle>/."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import networks, settings
from scripts.chains import near
from scripts.errors import UserError
from scripts.players import player_of, schema
from scripts.words import Vocabulary

if TYPE_CHECKING:
    from torch import nn

    from scripts.players import Captioner, Painter

SCHEMA = Path(__file__).parent.parent / "rules" / "schemas" / "bundle.schema.yaml"


class Vocabularies(dict[str, Vocabulary]):
    """The vocabularies in a bundle's folder, by part; each is read when it is asked for.

    (A picture is described before the text encoder has been converted, if that is asked for.)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __missing__(self, part: str) -> Vocabulary:
        self[part] = Vocabulary.read(self.folder / f"{part}.txt")
        return self[part]


@dataclass(frozen=True)
class Bundle:
    """A captioner and a painter: settings, weights and vocabularies in one folder.

    Either role may be another bundle's. `sizes`, `weights`, `files`, `words` and `network` are of
    our own networks (networks.PARTS), as far as this bundle itself has them.
    """

    folder: Path
    settings: dict[str, Any]  # bundle.yaml, with the defaults that it leaves out

    @classmethod
    def read(cls, name: str, models: Path | str = "models") -> Bundle:
        """The bundle in models/<name>/. Raises UserError if there is none, or it is broken."""
        folder = Path(models) / name
        path = folder / "bundle.yaml"
        if not path.exists():
            raise UserError(_unknown(name, Path(models)))
        said = settings.fit(settings.load(path))
        common = settings.load_schema(str(SCHEMA))
        whole = schema(said, common, str(path))
        settings.check(said, whole, str(path))
        return cls(folder, settings.filled(said, whole))

    @property
    def name(self) -> str:
        return self.folder.name

    def sizes(self, part: str) -> dict[str, Any]:
        """The part's section of bundle.yaml. Raises UserError if it has none."""
        if part not in self.settings:
            raise UserError(f"{self.folder}/bundle.yaml: this bundle has no {part}.")
        return self.settings[part]

    def weights(self, part: str) -> Path:
        """The part's weights, which need not be there."""
        return self.folder / f"{part}.safetensors"

    def files(self, *parts: str) -> list[Path]:
        """Weights and vocabularies of these parts, which need not be there."""
        return [
            path
            for part in parts
            for path in (self.weights(part), self.weights(part).with_suffix(".txt"))
            if path.suffix != ".txt" or networks.PARTS[part].words
        ]

    @property
    def originals(self) -> list[Path]:
        """The published files that its weights are converted from, which need not be there."""
        parts = self.settings.get("official", {}).get("parts", {})
        return [self.folder / name for names in parts.values() for name in names]

    @cached_property
    def words(self) -> Vocabularies:
        """The vocabularies, by part."""
        return Vocabularies(self.folder)

    def network(self, part: str, device: str) -> nn.Module:
        """The part's network on a device, ready to play: see networks.network."""
        return networks.network(self, part, device)

    def damaged(self, part: str) -> str:
        """The message for weights that are numbers, but compute what is none."""
        return f"{self.weights(part)}: what it computes is not a number; these weights are damaged."

    # --- the players

    @cached_property
    def captioner(self) -> Captioner:
        """Whoever describes pictures. Raises UserError as players.player_of."""
        return player_of(self, "captioner")

    @cached_property
    def painter(self) -> Painter:
        """Whoever paints captions. Raises UserError as players.player_of."""
        return player_of(self, "painter")

    @property
    def players(self) -> tuple[Captioner, Painter]:
        return self.captioner, self.painter

    @property
    def damsm(self) -> Bundle | None:
        """The bundle whose text and image encoder tell what pictures mean, if there are such."""
        owner = self.painter.bundle
        return owner if "image_encoder" in owner.settings else None

    def check_files(self) -> None:
        """Raises UserError if a file of its players is missing which nothing makes, or if one is
        dated in the future: Snakemake does not keep what is older than what it is made of."""
        for player in self.players:
            player.check_dates()
        lacking = [
            str(path)
            for player in self.players
            if not player.is_fetched
            for path in player.files
            if not path.is_file()
        ]
        if lacking:
            raise UserError(
                f"{' and '.join(lacking)}: missing. The bundle {self.name} needs its weights and "
                f"words in {Path(lacking[0]).parent}/; get them again, or play with another bundle."
            )

    def check_sampling(self, chain: str) -> None:
        """Raises UserError if captions are to be drawn, and its captioner cannot do it."""
        if not self.captioner.samples:
            raise UserError(
                f"{chain}: captions of the bundle {self.name} cannot be sampled: a captioner of the"
                f" kind {self.captioner.kind} cannot do it. Leave the temperature out, or play with"
                " another bundle."
            )


def present(models: Path | str = "models") -> list[str]:
    """The names of all bundles."""
    return sorted(path.parent.name for path in Path(models).glob("*/bundle.yaml"))


def _unknown(name: str, models: Path) -> str:
    bundles = present(models)
    held = f"it holds {', '.join(bundles)}" if bundles else "it holds none at all"
    close = near(name, bundles)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"{models}/ holds no bundle called {name}; {held}.{hint}"
