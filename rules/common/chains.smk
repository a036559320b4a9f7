"""Chains, their base files and their bundles."""

import os
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

from snakemake.logging import logger

from scripts import chains, channel, records
from scripts.bundles import Bundle
from scripts.chains import BaseFiles
from scripts.files import check_date


@lru_cache
def base_files():
    return BaseFiles.read("input")


def elsewhere():
    """Which folder was looked into, if that may not be the one that was meant."""
    here = os.getcwd()
    if base_files().files or os.path.realpath(here) == os.path.realpath(HOME):
        return ""
    return (
        f" (The folder is {here}; to play in another one, give it with --directory:"
        f" --directory {HOME})"
    )


@lru_cache(maxsize=None)
def chain_called(name):
    """The chain of this name, once it is known that it can be played."""
    chain = chain_named(name)
    sampled = channel.Passage.read(chain.passage, name).temperature
    for bundle in chain.bundles or (chain.bundle,):
        bundle_called(bundle).check_files()
        if sampled:
            bundle_called(bundle).check_sampling(name)
    check_date(base_files().find(chain.image))
    check_links(name)
    check_standing(chain)
    return chain


def chain_named(name):
    """The chain of this name, once it is known that its base file is there."""
    try:
        chain = chains.parse(
            name, config["seed"], config["bundle"], passage_of_config()
        )
        channel.Passage.read(chain.passage, name)
        base_files().find(chain.image)
    except UserError as error:
        base_files().check_name(name)  # photo@2.png is there, photo.png is not
        raise UserError(f"{error}{elsewhere()}") from None
    # Randomness depends on the image's name: the same for é as one character and as two.
    return replace(chain, image=chains.composed(chain.image))


@lru_cache
def passage_of_config():
    """What is between the rounds of chains whose names do not say."""
    found, how = list(config["channel"]), config["captioner"]
    if how.get("temperature"):
        found.append(f"temperature-{how['temperature']:g}")
        found += [f"top_p-{how['top_p']:g}"] if how.get("top_p", 1) < 1 else []
    channel.Passage.read(found, "config: channel")
    if found and how["beam"] > 1 and how.get("temperature"):
        raise UserError(
            "config: captioner: captions are either sampled (temperature) or searched for"
            " (beam); set the temperature to 0 or the beam to 1."
        )
    return tuple(found)


@lru_cache(maxsize=None)
def check_links(name):
    """Nothing in results/<name>/ may lead out of results/, or be a file instead of a folder."""
    chains.check_folders(Path("results", name), Path("results"))
    chains.check_links(Path("results", name), Path("results"))


@lru_cache(maxsize=None)
def what_stands(name):
    """With what the rounds in results/<name>/ were played, before this call plays any."""
    return records.played(Path("results", name))


def check_standing(*to_play):
    """No call may change what a chain that stands was played with."""
    stand = {chain: what_stands(chain.name) for chain in to_play}
    records.check(stand, config["captioner"]["beam"], "results")


def chain_of(wildcards):
    return chain_called(wildcards.chain)


def round_of(wildcards):
    return chains.parse_round(wildcards.round, wildcards.chain)


def base_of(wildcards):
    """The base picture or text of the chain."""
    return str(base_files().find(chain_of(wildcards).image))


def starts_with_text(wildcards):
    return chains.is_text(base_of(wildcards))


@exit_on_user_error
def every_chain(_):
    """One chain of each base file that can be played, with the seed and bundle of the config."""
    tell_left_out()
    if base_files().files:
        bundle_called(config["bundle"]).check_files()
    check_standing(*nameable())
    return sorted(set(base_files().files) - refused_chains().keys())


def nameable():
    """The chains of the base files that can have one."""
    for image in base_files().files:
        with suppress(UserError):
            yield chain_named(image)


@lru_cache
def refused_chains():
    """What is wrong with base files that cannot be played, by image. They stop no other."""
    refused = {}
    for image in sorted(base_files().files):
        try:
            chain_called(image)
        except UserError as error:
            refused[image] = str(error)
    return refused


def refusals():
    """One file for each of them, which is never made: the attempt says what is wrong."""
    return [f".snakemake/refused/{number}" for number in range(len(refused_chains()))]


def refuse(wildcards):
    """Says what is wrong with a base file."""
    raise UserError(list(refused_chains().values())[int(wildcards.number)])


@lru_cache
def tell_left_out():
    """Names what lies in input/ and cannot be played, once."""
    for line in base_files().left_out():
        logger.warning(line)


@lru_cache
def bundle_called(name):
    return Bundle.read(name)


def bundle_of(wildcards):
    """The bundle that plays a round, or the first one of a chain."""
    chain = chain_of(wildcards)
    turn = round_of(wildcards) if "round" in wildcards.keys() else 1
    return bundle_called(chain.bundle_at(turn))


@exit_on_user_error
def captioner_of(wildcards):
    return bundle_of(wildcards).captioner


@exit_on_user_error
def painter_of(wildcards):
    return bundle_of(wildcards).painter


def files_of(player):
    """The player's files, whose times do not count where their contents do."""
    mark = ancient if player.contents_count else str
    return [mark(str(path)) for path in player.files]


def contents_of(player):
    """What decides whether something that it has played is stale, beside its settings."""
    return player.digests() if player.contents_count else {}


# --- players whose networks are a model of a hub


@exit_on_user_error
def player_to_fetch(wildcards):
    return getattr(bundle_called(wildcards.fetching), wildcards.role)


@exit_on_user_error
def model_to_fetch(wildcards):
    """What decides which files are fetched."""
    player = player_to_fetch(wildcards)
    own = player.settings[player.role]
    return {key: own[key] for key in ("model", "revision", "dtype") if key in own}
