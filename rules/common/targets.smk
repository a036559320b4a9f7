"""What a call makes when no file is named, and the files of a chain."""


def rounds_of(wildcards, ending):
    """One file of each round that the config asks for."""
    chain_of(wildcards)
    return [
        f"results/{wildcards.chain}/round{n}.{ending}"
        for n in range(1, config["rounds"] + 1)
    ]


@asked
def chain_base(wildcards):
    return base_of(wildcards)


@asked
def chain_pictures(wildcards):
    return rounds_of(wildcards, "png")


@asked
def chain_texts(wildcards):
    return rounds_of(wildcards, "txt")


# --- all


@asked
def whole_game(wildcards):
    """Captions, pictures, records and strip of every base file, and the page that shows them."""
    images = every_chain(wildcards)
    if not images:
        left_out = "".join(f"\n{line}" for line in base_files().left_out())
        raise UserError(
            f"input/ holds no picture and no text to play; put one there.{left_out}"
        )
    return [
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
    ] + ["results/index.html"]
