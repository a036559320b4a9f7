"""What the rules of drift ask."""

from functools import lru_cache

from scripts.files import check_date

# The networks that tell meaning; scripts/meaning.py asks bundles for them.
MEANING = ("scripts.attngan.text_encoder", "scripts.attngan.image_encoder")

# The storybook's own judge is a file of weights, and its code.
OWN_JUDGE = (config["judge"] or "").endswith(".safetensors")
TRAINED_JUDGE = "training/judge.safetensors"  # made by a rule, where it is missing
JUDGE = ["scripts.storybook.judge"] if OWN_JUDGE else []


@exit_on_user_error
def judge_files(_):
    """The files of the judge, where it is a file or a folder here."""
    judge = config["judge"]
    if not judge:
        return []
    if OWN_JUDGE and judge != TRAINED_JUDGE and not os.path.isfile(judge):
        raise UserError(
            f"config: there is no file {judge} (judge); give the path of a judge's weights, or"
            f" {TRAINED_JUDGE}, which a rule makes."
        )
    if os.path.isdir(judge):
        paths = (os.path.join(judge, name) for name in sorted(os.listdir(judge)))
        return [path for path in paths if os.path.isfile(path)]
    return [judge] if OWN_JUDGE else []


@lru_cache
def known_truth():
    """What is in the base files, if input/truth.tsv tells it."""
    from scripts.drift.attributes import Truth

    return Truth.read("input")


@lru_cache(maxsize=None)
def attribute_table(path):
    from scripts.drift.attributes import Attributes

    return Attributes.read(path)


@exit_on_user_error
def truth_of(wildcards):
    """What is in the chain's base, by attribute."""
    if not known_truth().rows:
        return {}
    for path in attributes_of(wildcards):
        return known_truth().of(chain_of(wildcards).image, attribute_table(path))
    return {}


@exit_on_user_error
def meaning_files(wildcards):
    """The DAMSM's encoders, of a bundle that has both."""
    damsm = bundle_of(wildcards).damsm
    found = damsm.files("text_encoder", "image_encoder") if damsm else []
    for path in found:
        check_date(path)
    return [str(path) for path in found]


@exit_on_user_error
def attributes_of(wildcards):
    """The table by which this bundle's captions are read, if there is one."""
    return attribute_tables(bundle_of(wildcards))


def attribute_tables(bundle):
    """That of the bundle, or else of the bundle that its captioner comes from."""
    folders = bundle.folder, bundle.captioner.bundle.folder
    tables = [str(folder / "attributes.yaml") for folder in folders]
    return [table for table in tables if os.path.exists(table)][:1]
