"""The painter's first stage learns by known noise, and the text encoder may learn along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.training.lesson import Lesson, save
from scripts.training.lessons.painters import PARTS, budget, learners
from scripts.training.recipe import Recipe

__all__ = ["DATASET", "PARTS", "said", "work"]
DATASET = "painted"


def said(recipe: Recipe) -> dict[str, Any]:
    if not recipe.generator:
        return {"seed": recipe.seed}
    return {
        "steps": recipe.generator["steps"][0],
        "polish": recipe.generator["polish"],
        "texts": recipe.texts,
        **budget(recipe),
    }


def work(
    lesson: Lesson,
    vocabulary: Path | str,
    text_encoder: Path | str,
    weights: Path | str,
    tuned: Path | str,
) -> None:
    """Teach the painter's first stage, and write its weights.

    `tuned` is the text encoder as it is then: the recipe may have it learn along. Where nothing is
    known of the noise, the first stage is left as it begins.
    """
    import torch

    from scripts.attngan.generator import Generator
    from scripts.training.painter import calm, train_first

    known, text, config = learners(lesson, vocabulary, text_encoder)
    if "steps" in lesson.said:
        notes = lesson.notes(weights, vocabulary, text_encoder)
        how = {**lesson.said, "device": lesson.device}
        network = train_first(lesson.pictures(64), known, text, config, notes, **how)
    else:
        torch.manual_seed(lesson.said["seed"])
        network = Generator(replace(config, stages=1))
        calm(network.conditioning.linear.bias, config.condition)
    save(network, weights)
    save(text, tuned)
