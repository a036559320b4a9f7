"""What a call makes when no file is named, and the files of a chain."""

from scripts import bring, targets


def rounds_of(wildcards, ending):
    """One file of each round that the config asks for."""
    chain_of(wildcards)
    return [
        f"results/{wildcards.chain}/round{n}.{ending}"
        for n in range(1, config["rounds"] + 1)
    ]


@exit_on_user_error
def chain_base(wildcards):
    """The base file; another one there means other rounds, whatever its time is."""
    return ancient(base_of(wildcards))


@exit_on_user_error
def chain_pictures(wildcards):
    return rounds_of(wildcards, "png")


@exit_on_user_error
def chain_texts(wildcards):
    return rounds_of(wildcards, "txt")


@exit_on_user_error
def chain_records(wildcards):
    return rounds_of(wildcards, "json")


# --- all


@exit_on_user_error
def whole_game(wildcards):
    """Captions, pictures, records and strip of every base file, and the page that shows them."""
    images = every_chain(wildcards)
    if not base_files().files:
        left_out = "".join(f"\n{line}" for line in base_files().left_out())
        raise UserError(
            f"input/ holds no picture and no text to play; put one there.{elsewhere()}{left_out}"
        )
    return (
        [
            f"results/{image}/{file}"
            for image in images
            for file in (
                *(
                    f"round{n}.{ending}"
                    for n in range(1, config["rounds"] + 1)
                    for ending in ("txt", "png", "json")
                ),
                "strip.png",
            )
        ]
        + [
            record
            for image in images
            for record in lost_captions(
                f"results/{image}", range(1, config["rounds"] + 1)
            )
        ]
        + (["results/index.html"] if images else [])
        + refusals()
    )


# --- play


@exit_on_user_error
def own_game(_):
    """The page of the game that begins with the picture or the text of the call."""
    if config["picture"] and config["text"]:
        raise UserError(
            "play: give either a picture or a text; a game begins with one of them."
        )
    if not config["picture"] and not config["text"]:
        raise UserError(
            "play: say what to begin with: --config picture=dog.jpg, or --config"
            ' text="two red kites over a beach".'
        )
    take = bring.picture if config["picture"] else bring.text
    dry = workflow.output_settings.dryrun
    image = take(config["picture"] or config["text"], dry=dry)
    base_files.cache_clear()
    return [f"results/{image}/strip.png", f"results/{image}/index.html"]


# --- what was asked for, and what there is


@exit_on_user_error
def check_targets():
    """Ends the call if a target is none, with the ones that it may have been meant for."""
    names = {made.name for made in workflow.rules}
    whole = [made for made in called_rules() if not made.has_wildcards()]
    for target in workflow.dag_settings.targets:
        path = os.path.normpath(target)
        known = target in names or any(
            made.is_producer(path) for made in workflow.rules
        )
        if not (known or os.path.isfile(path)):
            images = sorted(base_files().files)
            names = [made.name for made in whole]
            told = targets.unknown(target, images, names, config["rounds"])
            raise UserError(f"{told}{elsewhere()}")


def called_rules():
    """The rules that people call: those that say what they are for."""
    found = [made for made in workflow.rules if made.docstring]
    return sorted(found, key=lambda made: made.name)


def list_called_rules(only_targets=False):
    """What --list prints: the rules that people call, and what for."""
    for made in called_rules():
        if not (only_targets and made.has_wildcards()):
            print(f"{made.name}: {made.docstring}")


before_planning(check_targets)
list_rules_with(list_called_rules)
