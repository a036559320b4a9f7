"""The painter's first stage learns by known noise, and the text encoder may learn along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.training.job import TrainingJob, save
from scripts.training.jobs.painters import PARTS, budget, learners
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
    job: TrainingJob,
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

    known, text, config = learners(job, vocabulary, text_encoder)
    if "steps" in job.said:
        notes = job.notes(weights, vocabulary, text_encoder)
        how = {**job.said, "device": job.device}
        network = train_first(job.pictures(64), known, text, config, notes, **how)
    else:
        torch.manual_seed(job.said["seed"])
        network = Generator(replace(config, stages=1))
        calm(network.conditioning.linear.bias, config.condition)
    save(network, weights)
    save(text, tuned)
