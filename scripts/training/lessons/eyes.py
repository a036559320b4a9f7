"""A first image encoder, whose eyes the captioner begins with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts import networks
from scripts.training.lesson import Lesson, save
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
    lesson: Lesson, vocabulary: Path | str, pretrained: Path | str | None, weights: Path | str
) -> None:
    """Teach an image encoder, and write its weights; pretrained ones are only put into it."""
    from safetensors.torch import load_file

    from scripts.training.captioner import lend_eyes
    from scripts.training.damsm import train_backbone

    if pretrained:
        sizes = {
            **lesson.bundle.sizes("image_encoder"),
            "last": "",
        }  # the captioner needs all layers
        whole = replace(lesson.bundle, settings={**lesson.bundle.settings, "image_encoder": sizes})
        with lesson.building():
            image = networks.build(whole, "image_encoder")
        state = {f"encoder.backbone.{name}": w for name, w in load_file(pretrained).items()}
        lend_eyes(state, image)
    else:
        known = Vocabulary.read(vocabulary)
        how = dict(lesson.said)
        pictures = lesson.pictures(how.pop("side"))
        sizes = lesson.sizes("text_encoder", known), lesson.sizes("image_encoder")
        notes = lesson.notes(weights, vocabulary)
        with lesson.building():
            image = train_backbone(pictures, known, *sizes, notes, device=lesson.device, **how)
    save(image, weights)
