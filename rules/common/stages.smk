"""What the two stages of a round read, and what their results depend on."""

import hashlib
import json

from scripts.closure import code_of
from scripts.files import digest
from scripts.untrusted.texts import read_text

# What is the same of all players; a player names the modules that play it.
CAPTION, GENERATE = "scripts.stages.caption", "scripts.stages.generate"


def recipe_of(wildcards):
    """A digest of all that the chain's rounds depend on: they are made anew with the same bytes.

    (On the same machine, with the same versions of packages.)
    """
    chain = chain_of(wildcards)
    turns = [bundle_called(name) for name in chain.bundles or (chain.bundle,)]
    players = [player for bundle in turns for player in bundle.players]
    everything = {
        "base": digest(base_of(wildcards)),
        "image": chain_of(wildcards).image,
        "seed": chain_of(wildcards).seed,
        "settings": [player.settings for player in players],
        "files": [player.digests() for player in players],
        "code": code_of(CAPTION, GENERATE, *(m for p in players for m in p.code)),
        **wider_beam(),
        **passage_told(wildcards),
    }
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def recipe_holds(wildcards):
    """Whether this round was played with all that it would be played with now."""
    try:
        record = records.read(f"results/{wildcards.chain}/round{wildcards.round}.json")
    except UserError:
        return False
    return record.get("recipe") == recipe_of(wildcards)


# --- caption


@exit_on_user_error
def what_is_seen(wildcards):
    """The base picture (or text) in round 1, then the picture of the round before."""
    last = round_of(wildcards) - 1
    if not last:
        # Its content counts, as the parameter `base`; its time does not.
        return ancient(base_of(wildcards))
    if chain_of(wildcards).repeats:
        return f"results/{wildcards.chain}/round1.txt"
    picture = f"results/{wildcards.chain}/round{last}.png"
    record = f"results/{wildcards.chain}/round{last}.json"
    if os.path.exists(picture) or not os.path.exists(record):
        return picture
    # A picture that somebody deleted is painted again, and comes out as it was if nothing that it
    # depends on has changed: no reason to play the later rounds again. Its record stands in for it,
    # while Snakemake notes the picture itself among the inputs.
    if recipe_holds(wildcards):
        return standing_in(ancient(record), picture)
    return picture


def seen_path(wildcards):
    """The path of what is seen, whatever stands for it among the inputs."""
    last = round_of(wildcards) - 1
    if last and chain_of(wildcards).repeats:
        return f"results/{wildcards.chain}/round1.txt"
    return f"results/{wildcards.chain}/round{last}.png" if last else base_of(wildcards)


def is_text(wildcards):
    """Whether what is seen is a text, for which no captioner is needed."""
    if round_of(wildcards) > 1:
        return chain_of(wildcards).repeats
    return starts_with_text(wildcards)


@exit_on_user_error
def base_content(wildcards):
    """A digest of the base file, where that is what is seen."""
    return digest(base_of(wildcards)) if round_of(wildcards) == 1 else ""


@exit_on_user_error
def chain_content(wildcards):
    """A digest of the base file of a chain."""
    return digest(base_of(wildcards))


@exit_on_user_error
def captioner_files(wildcards):
    """The captioner's weights and words; a base text needs no captioner."""
    if is_text(wildcards):
        return []
    return files_of(captioner_of(wildcards))


@exit_on_user_error
def captioner_contents(wildcards):
    """What is in them, as far as that makes captions stale."""
    return contents_of(captioner_of(wildcards)) if captioner_files(wildcards) else {}


@exit_on_user_error
def captioner_code(wildcards):
    """The code that describes a picture, or reads a base text."""
    players = captioner_of(wildcards).code if captioner_files(wildcards) else ()
    return code_of(CAPTION, *players)


@exit_on_user_error
def captioner_settings(wildcards):
    """The captioner's settings, and how it searches for captions."""
    if not captioner_files(wildcards):
        return {}
    return {
        **captioner_of(wildcards).settings,
        **wider_beam(),
        **passage_told(wildcards),
    }


def passage_told(wildcards):
    """What is between the rounds, if anything is, and what its randomness depends on."""
    chain = chain_of(wildcards)
    told = channel.Passage.read(chain.passage, chain.name).told
    if not told:
        return {}
    return {"passage": {**told, "seed": chain.seed, "image": chain.image}}


def wider_beam():
    """The setting that makes captions others than the original's, if it does."""
    beam = config["captioner"]["beam"]
    return {"beam": beam} if beam > 1 else {}


# --- generate


@exit_on_user_error
def text_to_paint(wildcards):
    round_of(wildcards), chain_of(wildcards)  # are there such a round and such a chain?
    return f"results/{wildcards.chain}/round{wildcards.round}.txt"


@exit_on_user_error
def caption_record(wildcards):
    """How the caption was found; a text that somebody put there has no such record."""
    folder, number = f"results/{wildcards.chain}", wildcards.round
    record = f"{folder}/captions/round{number}.json"
    own = os.path.exists(f"{folder}/round{number}.txt") and not os.path.exists(record)
    return (
        []
        if own and record not in lost_captions(folder, [number])
        else [ancient(record)]
    )


def lost_captions(folder, rounds):
    """Records of captions that somebody deleted: that of the picture tells that there was one."""
    found = []
    for number in rounds:
        record = f"{folder}/captions/round{number}.json"
        text = f"{folder}/round{number}.txt"
        if os.path.exists(text) and not os.path.exists(record):
            told = records.read_if_sound(f"{folder}/round{number}.json")
            with suppress(UserError):
                if told.get("captioner") and told.get("caption") == read_text(text):
                    found.append(record)
    return found


@exit_on_user_error
def painter_files(wildcards):
    return files_of(painter_of(wildcards))


@exit_on_user_error
def painter_contents(wildcards):
    """What is in them, as far as that makes pictures stale."""
    return contents_of(painter_of(wildcards))


def painted_by(module):
    """The code that paints for a module; asked for once the chain is known."""

    @exit_on_user_error
    def painter_code(wildcards):
        return code_of(module, *painter_of(wildcards).code)

    return painter_code


@exit_on_user_error
def recorded_files(wildcards):
    """Files whose digests the record names, and which must be there before it is written."""
    return [ancient(file) for file in files_of(captioner_of(wildcards))]


@exit_on_user_error
def painter_settings(wildcards):
    return painter_of(wildcards).settings


@exit_on_user_error
def chain_seed(wildcards):
    return chain_of(wildcards).seed


@exit_on_user_error
def chain_image(wildcards):
    """The image's name, from which the noise is drawn."""
    return chain_of(wildcards).image


# --- what a stage asks a cluster for


@exit_on_user_error
def captioner_memory(wildcards):
    return captioner_of(wildcards).mem_mb


@exit_on_user_error
def painter_memory(wildcards):
    return painter_of(wildcards).mem_mb


@exit_on_user_error
def graphics_cards(wildcards):
    """As SLURM wants it, if the bundle needs cards; the same for both stages, which share a job."""
    return cards_for(bundle_of(wildcards).players)


def cards_for(players):
    cards = max((player.gpus for player in players), default=0)
    return f"gpu:{cards}" if cards and config["device"] != "cpu" else None


def recorded_players():
    """Those of all bundles whose rounds stand in results/, as far as they can be had."""
    folders = Path("results").glob("*/")
    stand = [
        played for folder in folders for played in what_stands(folder.name).values()
    ]
    found = []
    for name in {played.bundle for played in stand if isinstance(played.bundle, str)}:
        with suppress(UserError, OSError):
            found += bundle_called(name).players
    return found


@exit_on_user_error
def recorded_memory(_):
    return max((player.mem_mb for player in recorded_players()), default=3000)


@exit_on_user_error
def recorded_cards(_):
    return cards_for(recorded_players())
