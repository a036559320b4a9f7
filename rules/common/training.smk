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
def dataset_of(wildcards):
    return str(recipe_called(wildcards.bundle).captions)


@asked
def trained_parts(_):
    return [
        f"training/{config['bundle']}/{path.name}"
        for path in bundle_called(config["bundle"]).files(*PARTS)
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
        bundle_called(wildcards.bundle),
        *files,
        device,
    )
