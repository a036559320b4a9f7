"""What the rules of drift ask."""

# The networks that tell meaning; scripts/meaning.py asks bundles for them.
MEANING = ("scripts.attngan.text_encoder", "scripts.attngan.image_encoder")


@asked
def meaning_files(wildcards):
    """The DAMSM's encoders, of a bundle that has both."""
    eyes = bundle_of(wildcards).eyes
    return (
        [str(path) for path in eyes.files("text_encoder", "image_encoder")]
        if eyes
        else []
    )


@asked
def attributes_of(wildcards):
    """The table by which this bundle's captions are read, if there is one."""
    return attribute_tables(bundle_of(wildcards))


def attribute_tables(bundle):
    """That of the bundle, or else of the bundle that its captioner comes from."""
    folders = bundle.folder, bundle.captioner.bundle.folder
    tables = [str(folder / "attributes.yaml") for folder in folders]
    return [table for table in tables if os.path.exists(table)][:1]


def measures(bundle, input, params, threads):
    """What chains are measured with."""
    return {
        "bundle": bundle,
        "attributes": next(iter(input.attributes), None),
        "embedding": params.embedding,
        "threads": threads,
    }
