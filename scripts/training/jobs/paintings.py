"""The painter paints captions of the dataset, for the captioner to learn from as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.training.job import TrainingJob
from scripts.training.jobs.painters import PARTS, learners
from scripts.training.recipe import Recipe

__all__ = ["DATASET", "PARTS", "said", "work"]
DATASET = "painted"


def said(recipe: Recipe) -> dict[str, Any]:
    return {"number": recipe.captioner["paintings"], "seed": recipe.seed}


def work(
    job: TrainingJob,
    vocabulary: Path | str,
    text_encoder: Path | str,
    generator: Path | str,
    records: Path | str,
) -> None:
    """Write paintings, and the list `records` of their captions beside them."""
    from scripts.training.paintings import paint

    known, text, _ = learners(job, vocabulary, text_encoder)
    painter = job.trained("generator", generator)
    paint(job.pictures(64), known, text, painter, records, **job.said)
