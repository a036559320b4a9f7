"""What the rules of studies ask."""

from scripts.study import chains as studied

STUDY = config["study"]
STUDY_TABLES = [  # that its page shows
    *("chains", "curves", "mcd", "halflife", "attractors", "ends", "settled"),
    *("comparisons", "themes", "basins", "transitions", "diversity", "attraction"),
    *("survival", "doses", "baselines"),
]


@exit_on_user_error
def chains_of_study(_=None):
    """The chains of the study, once it is known that all can be played."""
    check_links("study")
    names = studied.names(
        base_files().files,
        STUDY,
        config["seed"],
        config["bundle"],
        passage_of_config(),
    )
    for name in names:
        chain_called(name)
    if not names and not STUDY["imported"]:
        raise UserError(
            "config: study: no chain to measure: bases and imported are both empty."
        )
    return names


@exit_on_user_error
def study_tables(_):
    return [f"results/{name}/drift.tsv" for name in chains_of_study()]


@exit_on_user_error
def study_vectors(_):
    """The vectors of all chains, in the order in which chains.tsv has them."""
    played = [f"results/{name}/vectors.npz" for name in chains_of_study()]
    return played + [table.replace(".tsv", ".npz") for table in imported_tables(None)]


@exit_on_user_error
def study_truth(_):
    """What is known to be in the study's bases, by image."""
    images = {chain_called(name).image for name in chains_of_study()}
    rows = known_truth().rows
    return {image: dict(rows[image]) for image in sorted(images & set(rows))}


@exit_on_user_error
def study_bases(_=None):
    return [
        str(base_files().find(chain_called(name).image)) for name in chains_of_study()
    ]


@exit_on_user_error
def imported_tables(_):
    bundles = {chain_called(name).played_by for name in chains_of_study()}
    studied.check_imported(STUDY["imported"], bundles)
    return [
        f"results/study/imported/{number}.tsv"
        for number in range(len(STUDY["imported"]))
    ]


def imported_folder(wildcards):
    return STUDY["imported"][int(wildcards.number)]


@exit_on_user_error
def imported_files(wildcards):
    """Every file of the folder, so that a changed one is measured anew."""
    folder = imported_folder(wildcards)
    if not os.path.isdir(folder):
        raise UserError(f"config: study.imported: there is no folder {folder}.")
    return sorted(
        os.path.join(parent, file)
        for parent, _, files in os.walk(folder)
        for file in files
        if not file.startswith(".") and os.path.isfile(os.path.join(parent, file))
    )


@exit_on_user_error
def bundle_of_config(_):
    return bundle_called(config["bundle"])


@exit_on_user_error
def config_attributes(_):
    return attribute_tables(bundle_called(config["bundle"]))


@exit_on_user_error
def config_encoders(_):
    """The encoders that imported chains are measured by, in a bundle that has both."""
    bundle = bundle_called(config["bundle"])
    if "image_encoder" not in bundle.settings:
        return []
    found = bundle.files("text_encoder", "image_encoder")
    for path in found:
        check_date(path)
    return [str(path) for path in found]


@exit_on_user_error
def played_chains(_):
    """The files of each chain of the study."""
    from pathlib import Path

    from scripts.study.exchange import Played

    rounds = range(1, config["rounds"] + 1)
    return [
        Played(
            name,
            chain_called(name).played_by,
            Path(base),
            [Path(f"results/{name}/round{n}.txt") for n in rounds],
            [Path(f"results/{name}/round{n}.png") for n in rounds],
        )
        for name, base in zip(chains_of_study(), study_bases(), strict=True)
    ]


def every_round(ending):
    return [
        f"results/{name}/round{n}.{ending}"
        for name in chains_of_study()
        for n in range(1, config["rounds"] + 1)
    ]


@exit_on_user_error
def study_pictures(_):
    return every_round("png")


@exit_on_user_error
def study_texts(_):
    return every_round("txt")
