"""What the rules of the training wing have in common: recipes, datasets, and what is learnt."""

from scripts.training.lessons import Recipe


@asked
def recipe_called(name):
    return Recipe.read(f"models/{name}/training.yaml")


@asked
def dataset_of(wildcards):
    return str(recipe_called(wildcards.bundle).captions)


def lesson(wildcards):
    """What every lesson is given first: how it is taught, and the sizes of the networks."""
    return recipe_called(wildcards.bundle), bundle_called(wildcards.bundle)


@asked
def trained_parts(_):
    return [
        f"training/{config['bundle']}/{path.name}"
        for path in bundle_called(config["bundle"]).files(*PARTS)
    ]


def teach(work, threads, *args):
    """Does the work of a lesson, on as many threads as its job has."""
    import torch

    torch.set_num_threads(threads)
    tell(work, *args)
