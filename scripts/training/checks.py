"""Checks before the first training job: can recipe, sizes and pictures be trained on?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts import networks
from scripts.bundles import Bundle
from scripts.errors import UserError
from scripts.training.recipe import Recipe
from scripts.words import Vocabulary

ANY_WORDS = Vocabulary(("<pad>", "<start>", "<end>", "<unk>"))  # their number changes no shape here


def look_over(recipe: Recipe, bundle: Bundle) -> None:
    """Raises UserError for anything wrong that this training job, or a later one, would fail on.

    Each picture is decoded, but only once in its life.
    """
    recipe.check(bundle)
    recipe.check_records(bundle)
    check_networks(recipe, bundle)
    for dataset in recipe.datasets:
        dataset.pictures().check()


def check_networks(recipe: Recipe, bundle: Bundle) -> None:
    """Raises UserError unless the networks can be built, and fit each other and the recipe."""
    import torch

    from scripts.attngan.generator import Generator
    from scripts.attngan.image_encoder import ImageEncoder
    from scripts.attngan.text_encoder import TextEncoder
    from scripts.captioner.network import Captioner

    kinds = {
        "captioner": Captioner, "text_encoder": TextEncoder,
        "image_encoder": ImageEncoder, "generator": Generator,
    }  # fmt: skip
    built = {}
    for part, network in kinds.items():
        words = ANY_WORDS if networks.PARTS[part].words else None
        config = networks.configure(bundle, part, words)
        with _of(bundle), torch.device("meta"):
            built[part] = network(config)
    features = {
        "text_encoder.features": built["text_encoder"].config.features,
        "image_encoder.features": built["image_encoder"].config.features,
        "generator.sentence": built["generator"].config.sentence,
    }
    if len(set(features.values())) > 1:
        told = ", ".join(f"{name} is {size}" for name, size in features.items())
        raise UserError(f"{bundle.folder}/bundle.yaml: {told}; they must be the same.")
    _check_eyes(recipe, bundle, built["captioner"], built["image_encoder"])


def _check_eyes(recipe: Recipe, bundle: Bundle, captioner: object, image: object) -> None:
    """Raises UserError unless captioner and image encoder see with eyes of one kind."""
    layers = captioner.encoder.backbone.state_dict()
    seen = {name.removeprefix("features."): w.shape for name, w in layers.items()}
    own = {name: w.shape for name, w in image.backbone.state_dict().items()}
    if any(seen.get(name) != shape for name, shape in own.items()):
        raise UserError(
            f"{bundle.folder}/bundle.yaml: captioner and image_encoder must have the same backbone,"
            " whose eyes they share."
        )
    fixed = recipe.captioner.get("fixed", 0)
    sequence = getattr(captioner.encoder.backbone, "features", ())
    if fixed > len(sequence):
        raise UserError(
            f"{recipe.path}: captioner.fixed is {fixed}, but the captioner's eyes have"
            f" {len(sequence)} layers that can be left as they are."
        )
    if recipe.pretrained:
        _check_pretrained(recipe.pretrained, own)


def _check_pretrained(path: Path, wanted: dict[str, object]) -> None:
    """Raises UserError unless the file has finite weights of these names and shapes."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        given = {name.removeprefix("features."): w for name, w in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: these are no weights in safetensors' format ({error}).") from None
    for name, shape in wanted.items():
        if name not in given or given[name].shape != shape:
            raise UserError(
                f"{path}: these are not the weights of the backbone that the image_encoder in"
                f" bundle.yaml has: {name} is missing, or has another shape."
            )
    for name, tensor in given.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(f"{path}: {name} holds values that are not finite numbers.")


@contextmanager
def _of(bundle: Bundle) -> Iterator[None]:
    """Turns what networks say of impossible sizes into a word to who wrote them."""
    try:
        yield
    except ValueError as error:
        raise UserError(f"{bundle.folder}/bundle.yaml: {error}.") from None
