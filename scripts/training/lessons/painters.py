"""What the painter's lessons have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.training.lesson import Lesson
from scripts.training.recipe import Recipe
from scripts.words import Vocabulary

PARTS = ("text_encoder", "generator")


def budget(recipe: Recipe) -> dict[str, Any]:
    """How a painter learns by known noise, whatever the stage."""
    return {**{key: recipe.generator[key] for key in ("batch", "rate")}, "seed": recipe.seed}


def learners(lesson: Lesson, vocabulary: Path | str, text: Path | str) -> tuple:
    """The painter's words, its text encoder, and its sizes."""
    known = Vocabulary.read(vocabulary)
    return known, lesson.trained("text_encoder", text, known), lesson.sizes("generator")


def side_of(stage: int) -> int:
    """Pixels of the pictures that a stage (1, 2, …) paints."""
    return 64 * 2 ** (stage - 1)
