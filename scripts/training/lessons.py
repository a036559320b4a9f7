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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from scripts import networks, settings
from scripts.bundles import Bundle
from scripts.errors import UserError
from scripts.files import digest, written
from scripts.words import Vocabulary

PATHS = ("dataset", "annotations", "pretrained")  # the keys of a recipe that name files
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
    pretrained: Path | None = None  # weights of the backbone, for eyes that have seen photographs
    sizes: dict[str, Any] | None = None  # sections that bundle.yaml gets with the weights
    seed: int = 1

    @classmethod
    def read(cls, path: Path | str) -> Recipe:
        """Raises UserError if the file cannot be read, or says what no recipe can say."""
        said = settings.read(path, SCHEMA)
        places = {key: Path(said[key]) for key in PATHS if key in said}
        if not ("generator" in said or "adversarial" in said):
            raise UserError(f"{path}: it lacks generator or adversarial, or both.")
        return cls(**{**said, **places})

    def bundle(self, shipped: Bundle) -> Bundle:
        """The bundle that will be, of the one that there is."""
        return replace(shipped, settings={**shipped.settings, **(self.sizes or {})})

    @property
    def described(self) -> Path:
        """The folder of pictures that the captioner learns from, if it has its own."""
        return Path(self.captioner.get("dataset", self.dataset))

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
    budget |= _eyes(recipe)
    with _sizes_of(bundle):
        network = train(
            _described(recipe, config.size), known, config,
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
        network, _described(recipe, config.size),
        CaptionedPictures(Path(paintings).parent, config.size), known,
        _notes(weights, recipe, "captioner", config, vocabulary, captioner, paintings),
        steps=recipe.captioner["steps"][2], batch=recipe.captioner["batch"],
        rate=recipe.captioner["rate"] / 2, seed=recipe.seed, **_eyes(recipe),
    )  # fmt: skip
    save(network, weights)


def eyes(
    recipe: Recipe, bundle: Bundle, vocabulary: Path | str, weights: Path | str, device: str
) -> None:
    """Teach a first image encoder, whose eyes the captioner begins with, and write its weights.

    Where the recipe has pretrained ones, they are only put into it.
    """
    from scripts.training.captioner import lend_eyes
    from scripts.training.damsm import learn_eyes

    if recipe.pretrained:
        with _sizes_of(bundle):
            image = networks.build(bundle, "image_encoder")
        lend_eyes(pretrained(recipe, "encoder.backbone."), image)
        save(image, weights)
        return
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


def pretrained(recipe: Recipe, prefix: str = "") -> dict[str, Any]:
    """The weights of the recipe's pretrained backbone, their names behind a prefix."""
    from safetensors.torch import load_file

    return {f"{prefix}{name}": tensor for name, tensor in load_file(recipe.pretrained).items()}


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
    """Teach a text encoder beside the captioner's eyes and write the weights of both.

    Pretrained eyes know enough: then `captioner` is the same file as `eyes`.
    """
    from safetensors.torch import load_file

    from scripts.training.captioner import lend_eyes
    from scripts.training.damsm import learn_texts

    known = Vocabulary.read(vocabulary)
    image = _trained(bundle, "image_encoder", eyes, device)
    if captioner != eyes:
        lend_eyes(load_file(captioner), image)
    sizes = networks.configure(bundle, "text_encoder", known), image.config
    made = Path(text_encoder).with_name("text_encoder.safetensors")
    text, image = learn_texts(
        image, _dataset(recipe, image.config.size), known, sizes[0],
        _notes(made, recipe, "damsm", sizes, vocabulary, eyes, captioner),
        steps=recipe.damsm["steps"][1], batch=recipe.damsm["texts"],
        rate=2 * recipe.damsm["rate"], seed=recipe.seed,
    )  # fmt: skip
    save(text, text_encoder)
    save(image, image_encoder)


def first_stage(
    recipe: Recipe,
    bundle: Bundle,
    vocabulary: Path | str,
    text_encoder: Path | str,
    weights: Path | str,
    tuned: Path | str,
    device: str,
) -> None:
    """Teach the painter's first stage by known noise, and write its weights.

    `tuned` is the text encoder as it is then: the recipe may have it learn along. Where nothing is
    known of the noise, the first stage is left as it begins.
    """
    import torch

    from scripts.attngan.generator import Generator
    from scripts.training.painter import calm, train_first

    known, text, config = _learners(bundle, vocabulary, text_encoder, device)
    if recipe.generator:
        network = train_first(
            _dataset(recipe, 64), known, text, config,
            _notes(weights, recipe, "generator", config, vocabulary, text_encoder),
            steps=recipe.generator["steps"][0], polish=recipe.generator["polish"],
            texts=recipe.generator.get("texts", 0.0), **_how_to_paint(recipe, device),
        )  # fmt: skip
    else:
        torch.manual_seed(recipe.seed)
        network = Generator(replace(config, stages=1))
        calm(network.conditioning.linear.bias, config.condition)
    save(network, weights)
    save(text, tuned)


def later_stages(
    recipe: Recipe,
    bundle: Bundle,
    vocabulary: Path | str,
    text_encoder: Path | str,
    weights: Path | str,
    device: str,
) -> None:
    """Teach stages that read the picture before them, on true ones, and write their weights."""
    from scripts.training.painter import train_reader

    known, text, config = _learners(bundle, vocabulary, text_encoder, device)
    notes = _notes(weights, recipe, "generator", config, vocabulary, text_encoder)
    network = None
    for stage in range(2, config.stages + 1):
        network = train_reader(
            _dataset(recipe, 64 * 2 ** (stage - 1)), known, text, config, network, stage,
            notes / f"stage{stage}",
            steps=recipe.generator["steps"][stage - 1], **_how_to_paint(recipe, device),
        )  # fmt: skip
    save(network, weights)


def generator(
    recipe: Recipe,
    bundle: Bundle,
    vocabulary: Path | str,
    text_encoder: Path | str,
    eyes: Path | str,
    first: Path | str,
    later: Path | str,
    weights: Path | str,
    image_encoder: Path | str,
    device: str,
) -> None:
    """Teach the painter, by known noise or against discriminators, and write its weights.

    `first` and `later` are its stages as they have learnt alone; `later` is the same file as
    `first` where later stages learn from what the first one makes. The image encoder, too, is
    written: anew beside a text encoder that a painter has changed, or else as it was (`eyes`).
    """
    known, text, config = _learners(bundle, vocabulary, text_encoder, device)
    learners = known, text, config
    image = _trained(bundle, "image_encoder", eyes, device)
    if recipe.generator and recipe.generator.get("texts"):
        image = _meet_again(
            recipe, learners, image, image_encoder, (vocabulary, text_encoder, eyes)
        )
    files = vocabulary, text_encoder, first, later
    network = _stages(recipe, config, first, later, device)
    if recipe.generator:
        notes = _notes(weights, recipe, "generator", config, *files)
        network = _by_known_noise(recipe, learners, network, notes, device)
    if recipe.adversarial:
        notes = _notes(weights, recipe, "adversarial", (config, recipe.generator), *files, eyes)
        network = _by_adversaries(recipe, learners, image, notes, device, network)
    save(network, weights)
    save(image, image_encoder)


def _learners(bundle: Bundle, vocabulary: Path | str, text: Path | str, device: str) -> tuple:
    """The painter's words, its text encoder, and its sizes."""
    known = Vocabulary.read(vocabulary)
    reader = _trained(bundle, "text_encoder", text, device, known)
    return known, reader, networks.configure(bundle, "generator")


def _how_to_paint(recipe: Recipe, device: str) -> dict[str, Any]:
    return {**_budget(recipe.generator, "batch", "rate"), "seed": recipe.seed, "device": device}


def _meet_again(recipe: Recipe, learners: tuple, image: Any, made: Path | str, files: tuple) -> Any:
    """The image encoder, whose last layers learn anew beside the text encoder as it is."""
    from scripts.training.damsm import learn_pictures

    known, text, _ = learners
    notes = _notes(made, recipe, "damsm", image.config, *files)
    return learn_pictures(
        image, text, _dataset(recipe, image.config.size), known, notes,
        steps=recipe.damsm["steps"][2], batch=recipe.damsm["texts"],
        rate=2 * recipe.damsm["rate"], seed=recipe.seed,
    )  # fmt: skip


def _stages(recipe: Recipe, config: Any, first: Path | str, later: Path | str, device: str) -> Any:
    """The painter's stages as they have learnt so far, as one network."""
    from safetensors.torch import load_file

    from scripts.attngan.generator import Generator

    separate = later != first
    whole = separate or not recipe.generator
    network = Generator(config if whole else replace(config, stages=1))
    state = {**(load_file(later) if separate else {}), **load_file(first)}
    network.load_state_dict(state, strict=False)
    return network.to(device)


def _by_known_noise(recipe: Recipe, learners: tuple, network: Any, notes: Path, device: str) -> Any:
    """A generator taught stage by stage, from pictures whose layout is known."""
    from scripts.training.painter import train_next, tune

    config = learners[-1]
    steps = recipe.generator["steps"]
    how = _how_to_paint(recipe, device)
    for stage in range(network.config.stages + 1, config.stages + 1):
        pictures = _dataset(recipe, 64 * 2 ** (stage - 1))
        network = train_next(
            pictures, *learners, network, notes / f"stage{stage}", steps=steps[stage - 1], **how
        )
    if recipe.generator.get("together"):
        pictures = _dataset(recipe, 64 * 2 ** (config.stages - 1))
        network = tune(
            pictures, *learners, network, notes / "together",
            steps=recipe.generator["together"], **how,
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


def install(trained: Iterable[Path | str], bundle: Bundle, recipe: Recipe) -> None:
    """Put trained parts into a bundle, in place of what stands there, and the recipe's sizes.

    Weights are written in float16, half of what a repository would carry otherwise; networks
    compute with them in float32 all the same.
    """
    from safetensors.torch import load_file

    for part in map(Path, trained):
        if part.suffix == ".safetensors":
            weights = load_file(part).items()
            _write(
                {n: w.half() if w.is_floating_point() else w for n, w in weights},
                bundle.folder / part.name,
            )
            continue
        with written(bundle.folder / part.name) as half:
            shutil.copyfile(part, half)
    if recipe.sizes:
        about = "# The sizes of training.yaml, written by `snakemake train` with the weights.\n"
        # What is familiar was measured of other weights.
        settings = {name: what for name, what in bundle.settings.items() if name != "familiar"}
        sections = yaml.safe_dump(settings, sort_keys=False, width=100)
        with written(bundle.folder / "bundle.yaml") as half:
            half.write_text(about + sections, encoding="utf-8")


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


def _eyes(recipe: Recipe) -> dict[str, Any]:
    """How the captioner's eyes learn."""
    return {"eyes": recipe.captioner.get("eyes", 1.0), "fixed": recipe.captioner.get("fixed", 0)}


def _described(recipe: Recipe, side: int) -> Any:
    """The captioner's own dataset, if it has one."""
    from scripts.training.dataset import CaptionedPictures

    if "dataset" in recipe.captioner:
        return CaptionedPictures(recipe.described, side)
    return _dataset(recipe, side)


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
