"""The painter learns what is left: its later stages, all of them together, or from judges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.training.job import TrainingJob, save
from scripts.training.jobs.painters import budget, learners, side_of
from scripts.training.recipe import Recipe

PARTS = ("text_encoder", "image_encoder", "generator")
DATASET = "painted"


def said(recipe: Recipe) -> dict[str, Any]:
    told: dict[str, Any] = {"seed": recipe.seed, "adversarial": recipe.adversarial}
    if recipe.generator:
        told["known_noise"] = {
            "steps": recipe.generator["steps"][1:],
            "together": recipe.generator.get("together", 0),
            **budget(recipe),
        }
    if recipe.texts:
        told["pictures"] = {
            "steps": recipe.damsm["steps"][2],
            "batch": recipe.damsm["texts"],
            "rate": 2 * recipe.damsm["rate"],
            "seed": recipe.seed,
        }
    return told


def work(
    job: TrainingJob,
    vocabulary: Path | str,
    text_encoder: Path | str,
    eyes: Path | str,
    captioner: Path | str,
    first: Path | str,
    later: Path | str,
    weights: Path | str,
    image_encoder: Path | str,
) -> None:
    """Teach the painter, by known noise or against discriminators, and write its weights.

    `first` and `later` are its stages as they have learnt alone; `later` is the same file as
    `first` where later stages learn from what the first one makes. The image encoder, too, is
    written: with the backbone of the `captioner`, which knows the dataset, anew beside a text
    encoder that a painter has changed; or else as it was, and `captioner` is the same file as
    `eyes`.
    """
    taught = learners(job, vocabulary, text_encoder)
    image = job.image_encoder(eyes)
    if "pictures" in job.said:
        notes = job.notes(image_encoder, vocabulary, text_encoder, eyes, captioner)
        image = _meet_again(job, taught, image, captioner, notes)
    network = _stages(job, taught[-1], first, later)
    notes = job.notes(weights, vocabulary, text_encoder, eyes, captioner, first, later)
    if "known_noise" in job.said:  # its end depends on no other budget
        plain = replace(job, said={"known_noise": job.said["known_noise"]})
        own = plain.notes(weights, vocabulary, text_encoder, first, later)
        network = _by_known_noise(plain, taught, network, own)
    if job.said["adversarial"]:
        network = _by_adversaries(job, taught, image, notes, network)
    save(network, weights)
    save(image, image_encoder)


def _meet_again(
    job: TrainingJob, taught: tuple, image: Any, captioner: Path | str, notes: Path
) -> Any:
    """The image encoder, whose last layers learn anew beside the text encoder as it is."""
    from safetensors.torch import load_file

    from scripts.training.captioner import lend_eyes
    from scripts.training.damsm import train_image_encoder

    known, text, _ = taught
    lend_eyes(load_file(captioner), image)
    pictures = job.pictures(image.config.size)
    return train_image_encoder(image, text, pictures, known, notes, **job.said["pictures"])


def _stages(job: TrainingJob, config: Any, first: Path | str, later: Path | str) -> Any:
    """The painter's stages as they have learnt so far, as one network."""
    from safetensors.torch import load_file

    from scripts.attngan.generator import Generator

    separate = later != first
    whole = separate or "known_noise" not in job.said
    network = Generator(config if whole else replace(config, stages=1))
    state = {**(load_file(later) if separate else {}), **load_file(first)}
    network.load_state_dict(state, strict=False)
    return network.to(job.device)


def _by_known_noise(job: TrainingJob, taught: tuple, network: Any, notes: Path) -> Any:
    """A generator taught stage by stage, from pictures whose layout is known."""
    from scripts.training.painter import train_next, tune

    config = taught[-1]
    how = {**job.said["known_noise"], "device": job.device}
    steps, together = how.pop("steps"), how.pop("together")
    for stage in range(network.config.stages + 1, config.stages + 1):
        network = train_next(
            job.pictures(side_of(stage)), *taught, network, notes / f"stage{stage}",
            steps=steps[stage - 2], **how,
        )  # fmt: skip
    if together:
        pictures = job.pictures(side_of(config.stages))
        network = tune(pictures, *taught, network, notes / "together", steps=together, **how)
    return network


def _by_adversaries(job: TrainingJob, taught: tuple, eyes: Any, notes: Path, start: Any) -> Any:
    """A generator taught as AttnGAN's was, from `start` on."""
    from scripts.training.adversarial import Budget, train
    from scripts.training.adversarial import side_of as side_to_cut

    known, text, config = taught
    budget = Budget(**job.said["adversarial"])
    side = side_of(config.stages) if budget.anchor else side_to_cut(config)
    pictures = job.pictures(side, whole=False)
    return train(
        pictures, known, text, eyes, config, notes / "adversarial", budget,
        start=start, seed=job.said["seed"], device=job.device,
    )  # fmt: skip
