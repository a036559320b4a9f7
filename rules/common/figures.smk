"""What the rules of figures ask."""

RELATED_CODE = code_of("scripts.figures.related", "scripts.attngan.image_encoder")


@asked
def library_pictures(_):
    """Every picture of the folder in which related ones are looked for."""
    folder = config["library"]
    if not os.path.isdir(folder):
        raise UserError(f"config: library: there is no folder {folder}.")
    found = [
        os.path.join(place, file)
        for place, _, files in os.walk(folder)
        for file in files
        if file.lower().endswith(chains.PICTURES) and not file.startswith(".")
    ]
    if not found:
        raise UserError(f"config: library: the folder {folder} holds no picture.")
    return sorted(found)


@asked
def library_index(wildcards):
    bundle = bundle_of(wildcards)
    bundle.sizes("image_encoder")  # does it have one?
    check_links("library")
    return f"results/library/{bundle.name}.npz"


@asked
def all_figures(_):
    """Every figure that there is of every base file."""
    rounds = range(1, config["rounds"] + 1)
    figures = ["strip.png", "film.gif", "drift.svg"]
    figures += [
        f"{kind}/round{n}.png" for kind in ("candidates", "attention") for n in rounds
    ]
    related = [
        f"results/{image}/related.png"
        for image in every_chain(None)
        if not str(base_files().find(image)).lower().endswith(chains.TEXT)
    ]
    return [
        f"results/{image}/{file}" for image in every_chain(None) for file in figures
    ] + related
