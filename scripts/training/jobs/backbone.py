"""A first image encoder, whose eyes the captioner begins with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts import networks
from scripts.training.job import TrainingJob, save
from scripts.training.recipe import Recipe
from scripts.words import Vocabulary

PARTS = ("text_encoder", "image_encoder")
DATASET = "painted"


def said(recipe: Recipe) -> dict[str, Any]:
    if recipe.pretrained:
        return {}
    damsm = {key: recipe.damsm[key] for key in ("batch", "rate")}
    return {**damsm, "steps": recipe.damsm["steps"][0], "side": recipe.side, "seed": recipe.seed}


def work(
    job: TrainingJob, vocabulary: Path | str, pretrained: Path | str | None, weights: Path | str
) -> None:
    """Teach an image encoder, and write its weights; pretrained ones are only put into it."""
    from safetensors.torch import load_file

    from scripts.training.captioner import lend_eyes
    from scripts.training.damsm import train_backbone

    if pretrained:
        sizes = {
            **job.bundle.sizes("image_encoder"),
            "last": "",
        }  # the captioner needs all layers
        whole = replace(job.bundle, settings={**job.bundle.settings, "image_encoder": sizes})
        with job.building():
            image = networks.build(whole, "image_encoder")
        state = {f"encoder.backbone.{name}": w for name, w in load_file(pretrained).items()}
        lend_eyes(state, image)
    else:
        known = Vocabulary.read(vocabulary)
        how = dict(job.said)
        pictures = job.pictures(how.pop("side"))
        sizes = job.sizes("text_encoder", known), job.sizes("image_encoder")
        notes = job.notes(weights, vocabulary)
        with job.building():
            image = train_backbone(pictures, known, *sizes, notes, device=job.device, **how)
    save(image, weights)
