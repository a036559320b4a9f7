"""What each rule of the training wing does: files in, a part of a bundle out.

Checkpoints, losses and samples of a lesson lie in a folder beside what it makes, so that a lesson
that was killed goes on where it stood.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import networks, settings
from scripts.bundles import Bundle
from scripts.errors import UserError
from scripts.files import digest, written
from scripts.words import Vocabulary

SCHEMA = Path(__file__).parent.parent.parent / "rules" / "schemas" / "training.schema.yaml"


@dataclass(frozen=True)
class Recipe:
    """How a bundle is trained: models/<bundle>/training.yaml."""

    dataset: Path  # a folder of pictures
    side: int  # pixels, of the pictures that encoders learn from
    captioner: dict[str, Any]
    damsm: dict[str, Any]
    generator: dict[str, Any] | None = None  # by known noise
    adversarial: dict[str, Any] | None = None
    annotations: Path | None = None  # COCO's JSON; or else the dataset's own captions.jsonl
    seed: int = 1

    @classmethod
    def read(cls, path: Path | str) -> Recipe:
        """Raises UserError if the file cannot be read, or says what no recipe can say."""
        said = settings.read(path, SCHEMA)
        places = {key: Path(said[key]) for key in ("dataset", "annotations") if key in said}
        if not ("generator" in said or "adversarial" in said):
            raise UserError(f"{path}: it lacks generator or adversarial, or both.")
        return cls(**{**said, **places})

    @property
    def captions(self) -> Path:
        """The file that tells what the pictures show."""
        return self.annotations or self.dataset / "captions.jsonl"


def words(recipe: Recipe, captioner: Path | str, text_encoder: Path | str) -> None:
    """Write both vocabularies, counted from the dataset's captions."""
    from scripts.training.vocabulary import captioner_vocabulary, painter_vocabulary

    captions = _dataset(recipe).captions()
    threshold = recipe.captioner["threshold"]
    _write_words(captioner_vocabulary(captions, threshold), captioner)
    _write_words(painter_vocabulary(captions), text_encoder)


def captioner(
    recipe: Recipe,
    bundle: Bundle,
    vocabulary: Path | str,
    image_encoder: Path | str,
    weights: Path | str,
    device: str,
) -> None:
    """Teach the captioner, which begins with the image encoder's eyes, and write its weights."""
    from safetensors.torch import load_file

    from scripts.training.captioner import train

    known = Vocabulary.read(vocabulary)
    config = networks.configure(bundle, "captioner", known)
    budget = _budget(recipe.captioner, "batch", "rate")
    budget["steps"] = recipe.captioner["steps"][:2]
    with _sizes_of(bundle):
        network = train(
            _dataset(recipe, config.size), known, config,
            _notes(weights, recipe, "captioner", config, vocabulary, image_encoder),
            seed=recipe.seed, device=device, seen_before=load_file(image_encoder), **budget,
        )  # fmt: skip
    save(network, weights)


def paintings(
    recipe: Recipe,
    bundle: Bundle,
    vocabulary: Path | str,
    text_encoder: Path | str,
    generator: Path | str,
    records: Path | str,
    device: str,
) -> None:
    """Paint captions of the dataset, for the captioner to learn from as well."""
    from scripts.training.paintings import paint

    known = Vocabulary.read(vocabulary)
    painter = _trained(bundle, "generator", generator, device)
    text = _trained(bundle, "text_encoder", text_encoder, device, known)
    number = recipe.captioner["paintings"]
    paint(_dataset(recipe, 64), known, text, painter, records, number, recipe.seed)


def refined_captioner(
    recipe: Recipe,
    bundle: Bundle,
    vocabulary: Path | str,
    captioner: Path | str,
    paintings: Path | str,
    weights: Path | str,
    device: str,
) -> None:
    """Teach a captioner on, with paintings among the pictures, and write its weights."""
    from scripts.training.captioner import refine
    from scripts.training.dataset import CaptionedPictures

    known = Vocabulary.read(vocabulary)
    network = _trained(bundle, "captioner", captioner, device, known)
    config = network.config
    refine(
        network, _dataset(recipe, config.size),
        CaptionedPictures(Path(paintings).parent, config.size), known,
        _notes(weights, recipe, "captioner", config, vocabulary, captioner, paintings),
        steps=recipe.captioner["steps"][2], batch=recipe.captioner["batch"],
        rate=recipe.captioner["rate"] / 2, seed=recipe.seed,
    )  # fmt: skip
    save(network, weights)


def eyes(
    recipe: Recipe, bundle: Bundle, vocabulary: Path | str, weights: Path | str, device: str
) -> None:
    """Teach a first image encoder, whose eyes the captioner begins with, and write its weights."""
    from scripts.training.damsm import learn_eyes

    known = Vocabulary.read(vocabulary)
    sizes = (
        networks.configure(bundle, "text_encoder", known),
        networks.configure(bundle, "image_encoder"),
    )
    budget = {**_budget(recipe.damsm, "batch", "rate"), "steps": recipe.damsm["steps"][0]}
    with _sizes_of(bundle):
        image = learn_eyes(
            _dataset(recipe), known, *sizes,
            _notes(weights, recipe, "damsm", sizes, vocabulary),
            seed=recipe.seed, device=device, **budget,
        )  # fmt: skip
    save(image, weights)


def damsm(
    recipe: Recipe,
    bundle: Bundle,
    vocabulary: Path | str,
    eyes: Path | str,
    captioner: Path | str,
    text_encoder: Path | str,
    image_encoder: Path | str,
    device: str,
) -> None:
    """Teach a text encoder beside the captioner's eyes and write the weights of both."""
    from safetensors.torch import load_file

    from scripts.training.captioner import lend_eyes
    from scripts.training.damsm import learn_texts

    known = Vocabulary.read(vocabulary)
    image = _trained(bundle, "image_encoder", eyes, device)
    lend_eyes(load_file(captioner), image)
    sizes = networks.configure(bundle, "text_encoder", known), image.config
    text, image = learn_texts(
        image, _dataset(recipe, image.config.size), known, sizes[0],
        _notes(text_encoder, recipe, "damsm", sizes, vocabulary, eyes, captioner),
        steps=recipe.damsm["steps"][1], batch=recipe.damsm["texts"],
        rate=2 * recipe.damsm["rate"], seed=recipe.seed,
    )  # fmt: skip
    save(text, text_encoder)
    save(image, image_encoder)


def generator(
    recipe: Recipe,
    bundle: Bundle,
    vocabulary: Path | str,
    text_encoder: Path | str,
    image_encoder: Path | str,
    weights: Path | str,
    device: str,
) -> None:
    """Teach the painter, by known noise or against discriminators, and write its weights."""
    known = Vocabulary.read(vocabulary)
    text = _trained(bundle, "text_encoder", text_encoder, device, known)
    config = networks.configure(bundle, "generator")
    learners = known, text, config
    network = None
    if recipe.generator:
        notes = _notes(weights, recipe, "generator", config, vocabulary, text_encoder)
        network = _by_known_noise(recipe, learners, notes, device)
    if recipe.adversarial:
        files = vocabulary, text_encoder, image_encoder
        notes = _notes(weights, recipe, "adversarial", (config, recipe.generator), *files)
        eyes = _trained(bundle, "image_encoder", image_encoder, device)
        network = _by_adversaries(recipe, learners, eyes, notes, device, network)
    save(network, weights)


def _by_known_noise(recipe: Recipe, learners: tuple, notes: Path, device: str) -> Any:
    """A generator taught stage by stage, from pictures whose layout is known."""
    from scripts.training.painter import train_first, train_next

    config = learners[-1]
    budget = {**_budget(recipe.generator, "batch", "rate"), "seed": recipe.seed, "device": device}
    steps = recipe.generator["steps"]
    network = train_first(
        _dataset(recipe, 64), *learners, notes / "stage1",
        steps=steps[0], polish=recipe.generator["polish"], **budget,
    )  # fmt: skip
    for stage in range(2, config.stages + 1):
        pictures = _dataset(recipe, 64 * 2 ** (stage - 1))
        network = train_next(
            pictures, *learners, network, notes / f"stage{stage}",
            steps=steps[stage - 1], **budget,
        )  # fmt: skip
    return network


def _by_adversaries(
    recipe: Recipe, learners: tuple, eyes: Any, notes: Path, device: str, start: Any
) -> Any:
    """A generator taught as AttnGAN's was, from `start` on if there is one."""
    from scripts.training.adversarial import Budget, side_of, train
    from scripts.training.dataset import CaptionedPictures

    known, text, config = learners
    budget = Budget(**recipe.adversarial)
    side = 64 * 2 ** (config.stages - 1) if budget.anchor else side_of(config)
    pictures = CaptionedPictures(recipe.dataset, side, recipe.annotations, whole=False)
    return train(
        pictures, known, text, eyes, config, notes, budget,
        start=start, seed=recipe.seed, device=device,
    )  # fmt: skip


def install(trained: Iterable[Path | str], folder: Path) -> None:
    """Put trained parts into a bundle, in place of what stands there.

    Weights are written in float16, half of what a repository would carry otherwise; networks
    compute with them in float32 all the same.
    """
    from safetensors.torch import load_file

    for part in map(Path, trained):
        if part.suffix == ".safetensors":
            weights = load_file(part).items()
            _write(
                {n: w.half() if w.is_floating_point() else w for n, w in weights},
                folder / part.name,
            )
            continue
        with written(folder / part.name) as half:
            shutil.copyfile(part, half)


def save(network: Any, path: Path | str) -> None:
    """Write a network's weights, whole or not at all."""
    _write({name: w.contiguous().cpu() for name, w in network.state_dict().items()}, path)


def _write(state: dict[str, Any], path: Path | str) -> None:
    from safetensors.torch import save_file

    with written(path) as half:
        save_file(state, half)
        half.chmod(0o644)  # safetensors lets nobody else read it


@contextmanager
def _sizes_of(bundle: Bundle) -> Iterator[None]:
    """Turns what networks say of impossible sizes into a word to who wrote them."""
    try:
        yield
    except ValueError as error:
        raise UserError(f"{bundle.folder}/bundle.yaml: {error}.") from None


def _dataset(recipe: Recipe, side: int | None = None) -> Any:
    from scripts.training.dataset import CaptionedPictures

    return CaptionedPictures(recipe.dataset, side or recipe.side, recipe.annotations)


def _trained(
    bundle: Bundle, part: str, weights: Path | str, device: str, words: Vocabulary | None = None
) -> Any:
    """A network that an earlier lesson taught."""
    from safetensors.torch import load_file

    network = networks.build(bundle, part, words).to(device).eval()
    network.load_state_dict(load_file(weights))
    return network


def _budget(section: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: section[name] for name in names}


def _notes(
    made: Path | str, recipe: Recipe, lesson: str, sizes: object, *files: Path | str
) -> Path:
    """The folder of a lesson, training/<bundle>/<part>/<digest>/ for <part>.safetensors.

    The digest is of all that the lesson depends on: whoever changes any of it begins anew.
    """
    told = [recipe.side, recipe.seed, getattr(recipe, lesson), repr(sizes)]
    read = [digest(file) for file in (recipe.captions, *files)]
    name = hashlib.sha256(json.dumps([told, read], sort_keys=True).encode()).hexdigest()[:12]
    return Path(made).with_suffix("") / name


def _write_words(known: list[str], path: Path | str) -> None:
    with written(path) as half:
        Vocabulary(tuple(known)).write(half)
