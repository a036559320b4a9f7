"""Weights that others published: downloaded where they are missing, and converted if need be."""

import re

from scripts.official.convert import check, convert
from scripts.official.fetch import fetch_original
from scripts.official.published import missing, published

# The published files of each bundle and part. A file that lies there already is an input like any
# other, made by no rule: Snakemake removes what a rule is about to make, and neither `--forceall`
# nor a changed rule may cost anybody the weights that they put there.
PUBLISHED = published("models")
NONE = "(?!)"  # matches nothing


wildcard_constraints:
    published="|".join(map(re.escape, PUBLISHED)) or NONE,
    download="|".join(
        re.escape(file.removeprefix("models/")) for file in missing("models")
    )
    or NONE,
    converted="captioner|text_encoder|generator|image_encoder",


rule fetch:
    output:
        "models/{download}",
    localrule: True
    message:
        "Downloading {output}"
    run:
        fetch_original(output[0])


# A rule of its own, since Snakemake removes the old weights as soon as `convert` begins: weights
# that are refused leave the old ones where they are, and are refused again the next time.
rule check:
    input:
        lookup(dpath="{published}/{converted}", within=PUBLISHED),
    output:
        temp("models/{published}/.{converted}.checked"),
    resources:
        mem_mb=2000,
    message:
        "Checking {input}"
    run:
        check(
            wildcards.converted,
            input,
            f"models/{wildcards.published}",
            output[0],
        )


rule convert:
    input:
        files=lookup(dpath="{published}/{converted}", within=PUBLISHED),
        checked="models/{published}/.{converted}.checked",
    output:
        "models/{published}/{converted}.safetensors",
    wildcard_constraints:
        converted="generator|image_encoder",
    resources:
        mem_mb=2000,
    message:
        "Converting {input.files} into {output}"
    run:
        convert(
            wildcards.converted,
            input.files,
            f"models/{wildcards.published}",
            output[0],
        )


use rule convert as convert_with_words with:
    output:
        "models/{published}/{converted}.safetensors",
        "models/{published}/{converted}.txt",
    wildcard_constraints:
        converted="captioner|text_encoder",
    message:
        "Converting {input.files} into {output}"


# The models of a hub that a bundle names. Its list is the output, the files beside it are not:
# Snakemake would remove them before it begins, and with them what has come so far.
rule fetch_model:
    output:
        "models/{fetching}/{role}/fetched.json",
    wildcard_constraints:
        role="captioner|painter",
    localrule: True
    params:
        model=model_to_fetch,
        player=untracked(player_to_fetch),
    message:
        "Fetching {params.model[model]} for models/{wildcards.fetching}"
    run:
        params.player.fetch()
