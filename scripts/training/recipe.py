"""How a bundle is trained: models/<bundle>/training.yaml, and what it tells each training job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts import settings
from scripts.bundles import Bundle
from scripts.errors import UserError
from scripts.networks import PARTS
from scripts.training import annotations
from scripts.training.annotations import Record
from scripts.training.pictures import Pictures

PATHS = ("dataset", "annotations", "pretrained")  # the keys of a recipe that name files
SCHEMA = Path(__file__).parent.parent.parent / "rules" / "schemas" / "training.schema.yaml"
SHOWN = 5  # faults that are named


@dataclass(frozen=True)
class Dataset:
    """A folder of pictures, and the list of their captions if that is not its captions.jsonl."""

    folder: Path
    annotations: Path | None = None

    @property
    def captions(self) -> Path:
        """The file that tells what the pictures show."""
        return self.annotations or self.folder / "captions.jsonl"

    def records(self) -> list[Record]:
        """What is told of each picture. Raises UserError as annotations.read."""
        return annotations.read(self.folder, self.annotations)

    def pictures(self) -> Pictures:
        return Pictures(self.folder, (record["picture"] for record in self.records()))

    def digests(self) -> dict[str, str]:
        """Digests of what is told and of what is in the pictures."""
        told = json.dumps(self.records(), sort_keys=True).encode()
        return {
            "captions": hashlib.sha256(told).hexdigest(),
            "pictures": self.pictures().digest(),
        }


@dataclass(frozen=True)
class Recipe:
    """How a bundle is trained."""

    path: Path
    dataset: Path  # a folder of pictures
    side: int  # pixels, of the pictures that encoders learn from
    captioner: dict[str, Any]
    damsm: dict[str, Any]
    generator: dict[str, Any] | None = None  # by known noise
    adversarial: dict[str, Any] | None = None
    annotations: Path | None = None  # COCO's JSON; or else the dataset's own captions.jsonl
    pretrained: Path | None = None  # weights of the backbone, for eyes that have seen photographs
    sizes: dict[str, Any] | None = None  # sections that bundle.yaml gets with the weights
    resources: dict[str, int] | None = None  # what its training jobs ask a cluster for
    seed: int = 1

    @classmethod
    def read(cls, path: Path | str) -> Recipe:
        """Raises UserError if the file cannot be read, or says what no recipe can say."""
        said = settings.read(path, SCHEMA)
        places = {key: Path(said[key]) for key in PATHS if key in said}
        if not ("generator" in said or "adversarial" in said):
            raise UserError(f"{path}: it lacks generator or adversarial, or both.")
        recipe = cls(Path(path), **{**said, **places})
        if faults := [f"{path}: {fault}" for fault in recipe._faults()]:
            raise UserError("\n".join(faults))
        return recipe

    def bundle(self, shipped: Bundle) -> Bundle:
        """The bundle that will be, of the one that there is."""
        return replace(shipped, settings={**shipped.settings, **(self.sizes or {})})

    @property
    def painted(self) -> Dataset:
        """The pictures that all networks but the captioner learn from."""
        return Dataset(self.dataset, self.annotations)

    @property
    def described(self) -> Dataset:
        """The pictures that the captioner learns from: its own ones, if the recipe names some."""
        own = self.captioner.get("dataset")
        return Dataset(Path(own)) if own else self.painted

    @property
    def datasets(self) -> list[Dataset]:
        return list(dict.fromkeys([self.painted, self.described]))

    @property
    def texts(self) -> float:
        """The share of the painter's rate at which the text encoder learns beside it."""
        return (self.generator or {}).get("texts", 0.0)

    def check(self, bundle: Bundle) -> None:
        """Raises UserError unless the recipe is one for this bundle, as it will be."""
        for part in PARTS:
            bundle.sizes(part)
        if faults := [f"{self.path}: {fault}" for fault in self._misfits(bundle)]:
            raise UserError("\n".join(faults))

    def check_records(self, bundle: Bundle) -> None:
        """Raises UserError unless the pictures' codes are those that the bundle's noise says."""
        groups = bundle.sizes("generator").get("codes", [])
        records = self.painted.records()
        if not groups or (not self.generator and not any("codes" in each for each in records)):
            return
        faults = []
        for record in records:
            codes = record.get("codes", [])
            if len(codes) != len(groups):
                faults.append(f"{record['picture']} has {len(codes)} codes")
            elif any(code >= ways for code, ways in zip(codes, groups, strict=True)):
                faults.append(f"{record['picture']} has the codes {codes}")
        if faults:
            more = f" … and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
            ranges = ", ".join(f"0 to {ways - 1}" for ways in groups)
            raise UserError(
                f"{self.painted.captions}: {', '.join(faults[:SHOWN])}{more}; the bundle's"
                f" `generator.codes` want {len(groups)} codes for each picture: {ranges}."
            )

    def _faults(self) -> Iterator[str]:
        """What is wrong with the recipe, whatever the bundle is."""
        steps = self.damsm["steps"]
        if self.texts and len(steps) < 3:
            yield (
                "damsm.steps needs a third number, of batches for pictures beside the texts that"
                " the painter changes (generator.texts)."
            )
        elif not self.texts and len(steps) > 2:
            yield "damsm.steps has a third number, which only generator.texts needs; leave it out."
        if self.pretrained and steps[0]:
            yield "damsm.steps must begin with 0: with `pretrained`, no first eyes are taught."
        if not self.pretrained and not steps[0]:
            yield "damsm.steps begins with 0, but there are no `pretrained` eyes to begin with."

    def _misfits(self, bundle: Bundle) -> Iterator[str]:
        """What in the recipe does not fit the bundle."""
        painter = bundle.sizes("generator")
        stages = painter.get("stages", 3)
        if self.generator and len(self.generator["steps"]) != stages:
            yield (
                f"generator.steps has {len(self.generator['steps'])} numbers; it must have"
                f" {stages}, one for each stage of the generator (`stages` in bundle.yaml)."
            )
        if self.generator and self.generator.get("together") and stages == 1:
            yield "generator.together is for later stages, and this generator has one stage only."
        if self.adversarial and self.adversarial.get("anchor") and not painter.get("codes"):
            yield "adversarial.anchor needs `codes`, and this bundle's generator has none."
