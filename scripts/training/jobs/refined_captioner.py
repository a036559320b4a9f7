"""The captioner learns on, with the painter's pictures among the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.training.job import TrainingJob, save
from scripts.training.jobs.captioner import PARTS
from scripts.training.jobs.captioner import said as said_before
from scripts.training.recipe import Dataset, Recipe
from scripts.words import Vocabulary

__all__ = ["DATASET", "PARTS", "said", "work"]
DATASET = "described"


def said(recipe: Recipe) -> dict[str, Any]:
    before = said_before(recipe)
    del before["words"]
    return {**before, "steps": recipe.captioner["steps"][2], "rate": before["rate"] / 2}


def work(
    job: TrainingJob,
    vocabulary: Path | str,
    captioner: Path | str,
    paintings: Path | str,
    weights: Path | str,
) -> None:
    """Teach a captioner on, and write its weights."""
    from scripts.training.captioner import refine
    from scripts.training.dataset import CaptionedPictures

    known = Vocabulary.read(vocabulary)
    network = job.trained("captioner", captioner, known)
    side = network.config.size
    painted = Dataset(Path(paintings).parent)
    told = {**job.told, "paintings": painted.pictures().digest()}
    notes = replace(job, told=told).notes(weights, vocabulary, captioner, paintings)
    refine(
        network, job.pictures(side), CaptionedPictures(painted.folder, side), known, notes,
        **job.said,
    )  # fmt: skip
    save(network, weights)
