"""What the rules of the page ask."""

from scripts.page import standing


def find_base(image):
    """The base file of an image."""
    return base_files().find(image)


def page_settings():
    """What pages are written with."""
    return {"find_base": find_base, "seed": config["seed"], "bundle": config["bundle"]}


@asked
def strips(_):
    """The strip of each base file's chain: it is made once all of the chain's rounds are there."""
    check_links("index_files")
    return [f"results/{image}/strip.png" for image in every_chain(None)]


def stands_beside(_):
    """Chains, rounds and figures that the page shows, although this call does not make them.

    As a parameter, so that the page is made anew when there are others: chains with a seed or a
    bundle in their name, rounds beyond those of the config, figures that were asked for by name.
    """
    planned = set(every_chain(None))
    return {
        chain.name: beyond(chain, planned) for chain in standing.every_chain("results")
    }


def stands_in(wildcards):
    """The same of one chain."""
    chain = standing.chain(Path("results", wildcards.chain))
    return beyond(chain, {wildcards.chain}) if chain else None


def beyond(chain, planned):
    """What there is of a chain besides the rounds that the config asks for, if those are planned."""
    more = chain.name not in planned or chain.rounds > config["rounds"]
    figures = [name for name in chain.figures if name != "strip.png"]
    return [chain.digest() if more else "", figures, chain.by_round]
