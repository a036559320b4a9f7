"""Both vocabularies, counted from the dataset's captions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.files import written
from scripts.training.job import TrainingJob
from scripts.training.recipe import Recipe
from scripts.words import Vocabulary

PARTS = ()
DATASET = "painted"


def said(recipe: Recipe) -> dict[str, Any]:
    return {"threshold": recipe.captioner["threshold"]}


def work(job: TrainingJob, captioner: Path | str, text_encoder: Path | str) -> None:
    """Write both vocabularies. Raises UserError if one of them would have no words."""
    from scripts.training.vocabulary import SPECIAL, captioner_vocabulary, painter_vocabulary

    told = [caption for record in job.dataset.records() for caption in record["captions"]]
    threshold, source = job.said["threshold"], job.dataset.captions
    spoken, read = captioner_vocabulary(told, threshold), painter_vocabulary(told)
    if len(read) == 1:
        raise UserError(
            f"{source}: no caption has a word in the letters a to z, and AttnGAN's text encoder"
            " reads no others. Use captions in English, or write them in Latin letters."
        )
    if len(spoken) == len(SPECIAL):
        raise UserError(
            f"{source}: no word occurs {threshold} times in its {len(told)} captions, so that the"
            " captioner would have no words; lower captioner.threshold in training.yaml."
        )
    _write(spoken, captioner)
    _write(read, text_encoder)


def _write(known: list[str], path: Path | str) -> None:
    with written(path) as half:
        Vocabulary(tuple(known)).write(half)
