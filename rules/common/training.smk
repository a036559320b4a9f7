"""What the rules of the training wing have in common: recipes, datasets, and what is learnt."""

from scripts.devices import choose_device
from scripts.networks import PARTS
from scripts.training.lessons import Recipe

# They draw from PyTorch's one generator, which all threads of a process share.
in_own_process("learn_eyes", "learn_captioner", "learn_damsm", "learn_generator")
in_own_process("refine_captioner", "judge", "evaluate")


@asked
def recipe_called(name):
    return Recipe.read(f"models/{name}/training.yaml")


@asked
def bundle_to_be(name):
    """The bundle with the sizes that its recipe names, if it names some."""
    return recipe_called(name).bundle(bundle_called(name))


@asked
def dataset_of(wildcards):
    return str(recipe_called(wildcards.bundle).captions)


@asked
def described(wildcards):
    """What the captioner learns from: its own pictures, if the recipe names some."""
    recipe = recipe_called(wildcards.bundle)
    if "dataset" in recipe.captioner:
        return str(recipe.described / "captions.jsonl")
    return str(recipe.captions)


@asked
def pretrained_eyes(wildcards):
    weights = recipe_called(wildcards.bundle).pretrained
    return [str(weights)] if weights else []


@asked
def eyes_to_begin_with(wildcards):
    """The captioner's: pretrained ones, or those of a first image encoder."""
    pretrained = pretrained_eyes(wildcards)
    return pretrained or f"training/{wildcards.bundle}/eyes.safetensors"


@asked
def eyes_that_know(wildcards):
    """Those beside which texts are learnt: pretrained ones, or the captioner's."""
    known = "eyes" if pretrained_eyes(wildcards) else "captioner_of_pictures"
    return f"training/{wildcards.bundle}/{known}.safetensors"


@asked
def later_stages_of(wildcards):
    """Those that learnt alone, as only stages can that read the picture before them."""
    reads = bundle_to_be(wildcards.bundle).sizes("generator").get("reads")
    alone = reads and recipe_called(wildcards.bundle).generator
    stages = "later_stages" if alone else "first_stage"
    return f"training/{wildcards.bundle}/{stages}.safetensors"


@asked
def trained_parts(_):
    return [
        f"training/{config['bundle']}/{path.name}"
        for path in bundle_to_be(config["bundle"]).files(*PARTS)
    ]


def teach(work, wildcards, threads, *files):
    """Does the work of a lesson, on as many threads as its job has.

    `files` are its inputs but for the dataset, which the recipe names, and then its outputs.
    """
    import torch

    torch.set_num_threads(threads)
    device = tell(choose_device, config["device"])
    tell(
        work,
        recipe_called(wildcards.bundle),
        bundle_to_be(wildcards.bundle),
        *files,
        device,
    )
