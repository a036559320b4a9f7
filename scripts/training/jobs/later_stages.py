"""Stages that read the picture before them learn alone, on true pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.training.job import TrainingJob, save
from scripts.training.jobs.painters import PARTS, budget, learners, side_of
from scripts.training.recipe import Recipe

__all__ = ["DATASET", "PARTS", "said", "work"]
DATASET = "painted"


def said(recipe: Recipe) -> dict[str, Any]:
    return {"steps": recipe.generator["steps"][1:], **budget(recipe)}


def work(
    job: TrainingJob, vocabulary: Path | str, text_encoder: Path | str, weights: Path | str
) -> None:
    """Teach the later stages one after the other, and write their weights."""
    from scripts.training.painter import train_reader

    known, text, config = learners(job, vocabulary, text_encoder)
    notes = job.notes(weights, vocabulary, text_encoder)
    how = {**job.said, "device": job.device}
    network = None
    for stage, steps in enumerate(how.pop("steps"), 2):
        network = train_reader(
            job.pictures(side_of(stage)), known, text, config, network, stage,
            notes / f"stage{stage}", steps=steps, **how,
        )  # fmt: skip
    save(network, weights)
