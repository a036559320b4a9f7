"""What the painter's training jobs have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.training.job import TrainingJob
from scripts.training.recipe import Recipe
from scripts.words import Vocabulary

PARTS = ("text_encoder", "generator")


def budget(recipe: Recipe) -> dict[str, Any]:
    """How a painter learns by known noise, whatever the stage."""
    return {**{key: recipe.generator[key] for key in ("batch", "rate")}, "seed": recipe.seed}


def learners(job: TrainingJob, vocabulary: Path | str, text: Path | str) -> tuple:
    """The painter's words, its text encoder, and its sizes."""
    known = Vocabulary.read(vocabulary)
    return known, job.trained("text_encoder", text, known), job.sizes("generator")


def side_of(stage: int) -> int:
    """Pixels of the pictures that a stage (1, 2, …) paints."""
    return 64 * 2 ** (stage - 1)
