"""What the rules of drift ask."""

# The networks that tell meaning; scripts/meaning.py asks bundles for them.
MEANING = ("scripts.attngan.text_encoder", "scripts.attngan.image_encoder")


@asked
def meaning_files(wildcards):
    """The DAMSM's encoders, in a bundle that has both."""
    if "image_encoder" not in bundle_of(wildcards).settings:
        return []
    return files_of(wildcards, "text_encoder", "image_encoder")


@asked
def attributes_of(wildcards):
    """The table by which this bundle's captions are read, if there is one."""
    path = bundle_of(wildcards).folder / "attributes.yaml"
    return [str(path)] if path.exists() else []


def measures(bundle, input, params, threads):
    """What chains are measured with."""
    return {
        "bundle": bundle,
        "attributes": next(iter(input.attributes), None),
        "embedding": params.embedding,
        "threads": threads,
    }
