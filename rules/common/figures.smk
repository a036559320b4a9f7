"""What the rules of figures ask."""

from scripts.files import check_date
from scripts.stages.generate import check_attention

RELATED_CODE = code_of("scripts.figures.related", "scripts.attngan.image_encoder")


@exit_on_user_error
def library_pictures(_):
    """Every picture of the folder in which related ones are looked for."""
    folder = config["library"]
    if not os.path.isdir(folder):
        raise UserError(f"config: library: there is no folder {folder}.")
    found = [
        os.path.join(parent, file)
        for parent, _, files in os.walk(folder)
        for file in files
        if chains.is_picture(file) and not file.startswith(".")
    ]
    if not found:
        raise UserError(f"config: library: the folder {folder} holds no picture.")
    return sorted(found)


@exit_on_user_error
def library_index(wildcards):
    check_links("library")
    bundle = bundle_of(wildcards)
    if not bundle.damsm:
        raise UserError(
            f"{bundle.folder}/bundle.yaml: this bundle has no image_encoder, which tells what "
            "pictures mean; related pictures need one."
        )
    check_date(bundle.damsm.weights("image_encoder"))
    return f"results/library/{bundle.damsm.name}.npz"


def bundle_of_library(wildcards):
    return bundle_called(wildcards.bundle)


@exit_on_user_error
def text_looked_at(wildcards):
    """The caption, where the bundle has attention maps."""
    check_attention(bundle_of(wildcards))
    return text_to_paint(wildcards)


@exit_on_user_error
def all_figures(_):
    """Every figure that the bundle has, of every base file."""
    rounds = range(1, config["rounds"] + 1)
    figures = [name for name in standing.FIGURES if name != "related.png"]
    bundle = bundle_called(config["bundle"])
    kinds = ["candidates"]
    if not bundle.painter.no_attention:
        kinds.append("attention")
    figures += [f"{kind}/round{n}.png" for kind in kinds for n in rounds]
    related = [
        f"results/{image}/related.png"
        for image in every_chain(None)
        if bundle.damsm and not chains.is_text(base_files().find(image))
    ]
    return (
        [f"results/{image}/{file}" for image in every_chain(None) for file in figures]
        + related
        + refusals()
    )
