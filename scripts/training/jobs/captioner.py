"""The captioner learns to speak, and then to see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.training.job import TrainingJob, save
from scripts.training.recipe import Recipe
from scripts.words import Vocabulary

PARTS = ("captioner",)
USUAL = {"eyes": 1.0, "fixed": 0, "words": 0.0}
DATASET = "described"


def said(recipe: Recipe) -> dict[str, Any]:
    kept = {key: recipe.captioner.get(key, USUAL.get(key)) for key in ("batch", "rate", *USUAL)}
    return {**kept, "steps": recipe.captioner["steps"][:2], "seed": recipe.seed}


def work(
    job: TrainingJob, vocabulary: Path | str, image_encoder: Path | str, weights: Path | str
) -> None:
    """Teach the captioner, which begins with the image encoder's eyes, and write its weights."""
    from safetensors.torch import load_file

    from scripts.training.captioner import train

    known = Vocabulary.read(vocabulary)
    config = job.sizes("captioner", known)
    notes = job.notes(weights, vocabulary, image_encoder)
    with job.building():
        network = train(
            job.pictures(config.size), known, config, notes,
            device=job.device, seen_before=load_file(image_encoder), **job.said,
        )  # fmt: skip
    save(network, weights)
