"""What the rules of the training wing have in common: recipes, datasets, and what is learnt."""

import errno

from scripts.closure import code_of
from scripts.devices import choose_device
from scripts.networks import PARTS
from scripts.training import checks, installation
from scripts.training.job import TrainingJob
from scripts.training.jobs import (
    backbone,
    captioner,
    damsm,
    first_stage,
    generator,
    later_stages,
    paintings,
    refined_captioner,
    words,
)
from scripts.training.recipe import Recipe

# They draw from PyTorch's one generator, which all threads of a process share.
in_own_process("train_backbone", "train_captioner", "train_damsm", "train_generator")
in_own_process("train_first_stage", "train_later_stages", "finetune_captioner")
in_own_process("judge", "evaluate")

A_DAY = (
    24 * 60
)  # minutes that a training job may take, unless its recipe says otherwise
MEMORY = (
    12000  # MB: decoded pictures and what the backbone makes of them take up to 8 GiB
)


# --- recipes


@exit_on_user_error
def recipe_called(name):
    return Recipe.read(f"models/{name}/training.yaml")


@exit_on_user_error
def bundle_to_be(name):
    """The bundle with the sizes that its recipe names, if it fits them."""
    recipe = recipe_called(name)
    bundle = recipe.bundle(bundle_called(name))
    recipe.check(bundle)
    return bundle


# --- datasets


@exit_on_user_error
def check_made(dataset):
    """Raises UserError if there is no such list of captions, and no rule makes it."""
    path = str(dataset.captions)
    if not os.path.exists(path) and not any(
        made.is_producer(path) for made in workflow.rules
    ):
        dataset.records()


@exit_on_user_error
def dataset_of(wildcards):
    dataset = recipe_called(wildcards.bundle).painted
    check_made(dataset)
    return str(dataset.captions)


@exit_on_user_error
def described(wildcards):
    """What the captioner learns from: its own pictures, if the recipe names some."""
    dataset = recipe_called(wildcards.bundle).described
    check_made(dataset)
    return str(dataset.captions)


@lru_cache
def digests_of(dataset, *_):
    return dataset.digests()


@exit_on_user_error
def dataset_contents(dataset):
    """Digests of a dataset's captions and pictures, looked at anew if its list has changed."""
    status = os.stat(dataset.captions)
    return digests_of(dataset, status.st_size, status.st_mtime_ns)


# --- parts that training jobs begin with


@exit_on_user_error
def pretrained_backbone(wildcards):
    weights = recipe_called(wildcards.bundle).pretrained
    return [str(weights)] if weights else []


@exit_on_user_error
def first_backbone(wildcards):
    """The captioner's: pretrained ones, or those of a first image encoder."""
    pretrained = recipe_called(wildcards.bundle).pretrained
    return str(pretrained or f"training/{wildcards.bundle}/backbone.safetensors")


@exit_on_user_error
def trained_backbone(wildcards):
    """Those beside which texts are learnt: pretrained ones, or the captioner's."""
    known = "backbone" if pretrained_backbone(wildcards) else "captioner_of_pictures"
    return f"training/{wildcards.bundle}/{known}.safetensors"


@exit_on_user_error
def lent_backbone(wildcards):
    """The captioner's, for pictures that meet changed texts anew; otherwise what they have."""
    changed = recipe_called(wildcards.bundle).texts
    known = "captioner_of_pictures" if changed else "damsm_pictures"
    return f"training/{wildcards.bundle}/{known}.safetensors"


@exit_on_user_error
def later_stages_of(wildcards):
    """Those that learnt alone, as only stages can that read the picture before them."""
    reads = bundle_to_be(wildcards.bundle).sizes("generator").get("reads")
    alone = reads and recipe_called(wildcards.bundle).generator
    stages = "later_stages" if alone else "first_stage"
    return f"training/{wildcards.bundle}/{stages}.safetensors"


# --- training jobs


def told_to(job):
    """What a training job depends on beside the files that it reads, as a parameter of its rule."""

    def told(wildcards):
        recipe = recipe_called(wildcards.bundle)
        bundle = bundle_to_be(wildcards.bundle)
        dataset = getattr(recipe, job.DATASET)
        check_there(dataset)
        contents = dataset_contents(dataset)
        check_codes(recipe, bundle)
        return {
            "recipe": job.said(recipe),
            "sizes": {part: bundle.sizes(part) for part in job.PARTS},
            "captions": contents["captions"],
            # Words are counted without a look at pictures.
            "pictures": contents["pictures"] if job is not words else "",
        }

    return told


def check_there(dataset):
    """Raises FileNotFoundError, by which Snakemake knows that it has to ask again later."""
    if not os.path.exists(dataset.captions):
        raise FileNotFoundError(errno.ENOENT, "not made yet", str(dataset.captions))


@exit_on_user_error
def check_codes(recipe, bundle):
    check_there(recipe.painted)
    recipe.check_records(bundle)


def training_job(job, wildcards, params, device="cpu"):
    """A training job, once recipe, sizes and pictures of all training jobs have been looked over."""
    recipe = recipe_called(wildcards.bundle)
    bundle = bundle_to_be(wildcards.bundle)
    checks.look_over(recipe, bundle)
    return TrainingJob(
        bundle,
        job.said(recipe),
        getattr(recipe, job.DATASET),
        device,
        {"told": params.told, "code": params.code},
    )


def run_training_job(job, wildcards, params, threads, *files):
    """Does the work of a training job, on as many threads as its job has.

    `files` are its inputs but for the dataset, which the recipe names, and then its outputs.
    """
    import torch

    torch.set_num_threads(threads)
    device = choose_device(params.device)
    job.work(training_job(job, wildcards, params, device), *files)


# --- what a training job asks a cluster for


def asks(wildcards, key, usual):
    return (recipe_called(wildcards.bundle).resources or {}).get(key, usual)


@exit_on_user_error
def training_minutes(wildcards):
    return asks(wildcards, "runtime", A_DAY)


@exit_on_user_error
def training_memory(wildcards):
    return asks(wildcards, "mem_mb", MEMORY)


@exit_on_user_error
def training_cards(wildcards):
    """As SLURM wants it, where networks learn on graphics cards."""
    cards = asks(wildcards, "gpus", int(config["device"].startswith("cuda")))
    return f"gpu:{cards}" if cards and config["device"] != "cpu" else None


# --- installing


@exit_on_user_error
def trained_parts(_):
    return [
        f"training/{config['bundle']}/{path.name}"
        for path in bundle_to_be(config["bundle"]).files(*PARTS)
    ]


INSTALLED = f"training/{config['bundle']}/installed.json"


def is_asked_to_train():
    return "train" in workflow.dag_settings.targets


def install_again():
    """Has `train` put what was learnt into the bundle if something else is there by now."""
    if is_asked_to_train() and not installation.is_installed(
        bundle_called(config["bundle"]), INSTALLED
    ):
        settings = workflow.dag_settings
        settings.forcerun = {*settings.forcerun, "train"}


@exit_on_user_error
def measured_weights(_):
    """The storybook's; in a call that trains it, measuring waits for what is learnt.

    (Then one of the files stands for itself and for the note that all were installed: the same
    files count, whether a call trains or not.)
    """
    if not (is_asked_to_train() and config["bundle"] == "storybook"):
        return BUNDLE
    first, *others = BUNDLE
    waits = standing_in(INSTALLED, first) if ON else INSTALLED
    return [waits, *filter(os.path.exists, others)]


before_planning(exit_on_user_error(install_again))
