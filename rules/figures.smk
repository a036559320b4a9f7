"""Figures of a chain; what they need is computed when they are asked for."""

from scripts.figures import candidates, film, strip


rule strip:
    input:
        base=chain_base,
        pictures=chain_pictures,
        texts=chain_texts,
        code=code("figures/strip.py", "figures/typography.py"),
    output:
        report(
            "results/{chain}/strip.png",
            category="Chains",
            subcategory="{chain}",
            labels={"figure": "strip"},
            caption="report/strip.rst",
        ),
    message:
        "The strip of {wildcards.chain}: {output}"
    run:
        tell(strip.draw, input.base, input.pictures, input.texts, output[0])


rule film:
    input:
        base=chain_base,
        pictures=chain_pictures,
        texts=chain_texts,
        code=code("figures/film.py", "figures/typography.py"),
    output:
        report(
            "results/{chain}/film.gif",
            category="Chains",
            subcategory="{chain}",
            labels={"figure": "film"},
            caption="report/film.rst",
        ),
    message:
        "The film of {wildcards.chain}: {output}"
    run:
        tell(film.draw, input.base, input.pictures, input.texts, output[0])


rule candidates:
    input:
        text=text_to_paint,
        bundle=generator_files,
        code=GENERATE_CODE + code("figures/typography.py", "figures/candidates.py"),
    output:
        report(
            "results/{chain}/candidates/round{round}.png",
            category="Chains",
            subcategory="{chain}",
            labels={"figure": "candidates of round {round}"},
            caption="report/candidates.rst",
        ),
    threads: 1
    resources:
        mem_mb=3000,
    params:
        seed=chain_seed,
        sizes=generator_sizes,
        number=config["candidates"],
    message:
        "Painting {params.number} candidates of {input.text}"
    run:
        tell(
            candidates.draw,
            input.text,
            output[0],
            chain=chain_of(wildcards),
            round_=round_of(wildcards),
            number=params.number,
            **tools(wildcards, threads),
        )


rule attention:
    input:
        text=text_to_paint,
        bundle=generator_files,
        code=GENERATE_CODE + code("figures/typography.py", "figures/attention.py"),
    output:
        report(
            "results/{chain}/attention/round{round}.png",
            category="Chains",
            subcategory="{chain}",
            labels={"figure": "attention of round {round}"},
            caption="report/attention.rst",
        ),
    threads: 1
    resources:
        mem_mb=3000,
    params:
        seed=chain_seed,
        sizes=generator_sizes,
    message:
        "What the words of {input.text} looked at"
    run:
        from scripts.figures import attention

        tell(
            attention.draw,
            input.text,
            output[0],
            chain=chain_of(wildcards),
            round_=round_of(wildcards),
            **tools(wildcards, threads),
        )


rule library:
    input:
        pictures=library_pictures,
        eyes="models/{bundle}/image_encoder.safetensors",
    output:
        update("results/library/{bundle}.npz"),
    params:
        pictures=library_pictures,
    message:
        "Looking at the pictures of {config[library]}"
    run:
        from scripts.figures import related

        tell(
            related.index,
            params.pictures,
            output[0],
            bundle_called(wildcards.bundle),
        )


rule related:
    input:
        base=chain_base,
        library=library_index,
        code=code("figures/related.py", "drift/pictures.py", "figures/typography.py"),
    output:
        report(
            "results/{chain}/related.png",
            category="Chains",
            subcategory="{chain}",
            labels={"figure": "related pictures"},
            caption="report/related.rst",
        ),
    message:
        "Pictures related to {input.base}"
    run:
        from scripts.figures import related

        tell(
            related.draw, input.base, input.library, output[0], bundle_of(wildcards)
        )


rule figures:
    input:
        all_figures,
    localrule: True
