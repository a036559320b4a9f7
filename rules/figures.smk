"""Figures of a chain; what they need is computed when they are asked for."""

from scripts.figures import candidates, film, strip


rule strip:
    input:
        base=chain_base,
        pictures=chain_pictures,
        texts=chain_texts,
        code=code("figures/strip.py"),
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
        code=code("figures/strip.py", "figures/film.py"),
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
        code=GENERATE_CODE + code("figures/strip.py", "figures/candidates.py"),
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
        code=GENERATE_CODE + code("figures/attention.py"),
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


@asked
def library_index(wildcards):
    bundle = bundle_of(wildcards)
    bundle.sizes("image_encoder")  # does it have one?
    return f"results/library/{bundle.name}.npz"


rule related:
    input:
        base=chain_base,
        library=library_index,
        code=code("figures/related.py", "drift/pictures.py", "figures/strip.py"),
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


rule figures:
    input:
        all_figures,
    localrule: True
