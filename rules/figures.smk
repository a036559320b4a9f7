"""Figures of a chain."""

from scripts.figures import strip


rule strip:
    input:
        base=chain_base,
        pictures=chain_pictures,
        texts=chain_texts,
        code=code("figures/strip.py"),
    output:
        "results/{chain}/strip.png",
    message:
        "The strip of {wildcards.chain}: {output}"
    run:
        tell(strip.draw, input.base, input.pictures, input.texts, output[0])
