"""A text encoder learns beside the captioner's eyes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.training.job import TrainingJob, save
from scripts.training.recipe import Recipe
from scripts.words import Vocabulary

PARTS = ("text_encoder", "image_encoder")
DATASET = "painted"


def said(recipe: Recipe) -> dict[str, Any]:
    return {
        "steps": recipe.damsm["steps"][1],
        "batch": recipe.damsm["texts"],
        "rate": 2 * recipe.damsm["rate"],
        "seed": recipe.seed,
    }


def work(
    job: TrainingJob,
    vocabulary: Path | str,
    eyes: Path | str,
    captioner: Path | str,
    text_encoder: Path | str,
    image_encoder: Path | str,
) -> None:
    """Teach a text encoder beside the captioner's eyes and write the weights of both.

    Pretrained eyes know enough: then `captioner` is the same file as `eyes`.
    """
    from safetensors.torch import load_file

    from scripts.training.captioner import lend_eyes
    from scripts.training.damsm import train_text_encoder

    known = Vocabulary.read(vocabulary)
    image = job.image_encoder(eyes)
    if captioner != eyes:
        lend_eyes(load_file(captioner), image)
    pictures = job.pictures(image.config.size)
    notes = job.notes(Path(text_encoder).with_name("text_encoder"), vocabulary, eyes, captioner)
    sizes = job.sizes("text_encoder", known)
    text, image = train_text_encoder(image, pictures, known, sizes, notes, **job.said)
    save(text, text_encoder)
    save(image, image_encoder)
