"""Figures of a chain; what they need is computed when they are asked for."""

from scripts.figures import candidates, film, strip


rule strip:
    """results/<chain>/strip.png: base and rounds side by side"""
    input:
        base=chain_base,
        pictures=chain_pictures,
        texts=chain_texts,
        records=chain_records,
    output:
        report(
            "results/{chain}/strip.png",
            category="Chains",
            subcategory="{chain}",
            labels={"figure": "strip"},
            caption="report/strip.rst",
        ),
    params:
        code=code_of("scripts.figures.strip", "scripts.records"),
    message:
        "The strip of {wildcards.chain}: {output}"
    run:
        strip.draw(
            input.base,
            input.pictures,
            input.texts,
            output[0],
            input.records,
        )


rule film:
    """results/<chain>/film.gif: the same as moving pictures"""
    input:
        base=chain_base,
        pictures=chain_pictures,
        texts=chain_texts,
    output:
        report(
            "results/{chain}/film.gif",
            category="Chains",
            subcategory="{chain}",
            labels={"figure": "film"},
            caption="report/film.rst",
        ),
    params:
        code=code_of("scripts.figures.film"),
    message:
        "The film of {wildcards.chain}: {output}"
    run:
        film.draw(input.base, input.pictures, input.texts, output[0])


rule candidates:
    """results/<chain>/candidates/round<n>.png: many pictures of one caption"""
    input:
        text=text_to_paint,
        bundle=painter_files,
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
        mem_mb=painter_memory,
        gres=graphics_cards,
    params:
        image=chain_image,
        seed=chain_seed,
        sizes=painter_settings,
        weights=painter_contents,
        number=config["candidates"],
        code=painted_by("scripts.figures.candidates"),
        chain=untracked(chain_of),
        round=untracked(round_of),
        bundle=untracked(bundle_of),
        device=untracked(config["device"]),
        batch=untracked(config["batch"]),
    message:
        "Painting {params.number} candidates of {input.text}"
    run:
        candidates.draw(
            input.text,
            output[0],
            chain=params.chain,
            round_=params.round,
            number=params.number,
            bundle=params.bundle,
            device=params.device,
            threads=threads,
            batch=params.batch,
        )


rule attention:
    """results/<chain>/attention/round<n>.png: what each word looked at"""
    input:
        text=text_looked_at,
        bundle=painter_files,
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
        mem_mb=painter_memory,
        gres=graphics_cards,
    params:
        image=chain_image,
        seed=chain_seed,
        sizes=painter_settings,
        weights=painter_contents,
        code=painted_by("scripts.figures.attention"),
        chain=untracked(chain_of),
        round=untracked(round_of),
        bundle=untracked(bundle_of),
        device=untracked(config["device"]),
    message:
        "What the words of {input.text} looked at"
    run:
        from scripts.figures import attention

        attention.draw(
            input.text,
            output[0],
            chain=params.chain,
            round_=params.round,
            bundle=params.bundle,
            device=params.device,
            threads=threads,
        )


rule library:
    input:
        pictures=library_pictures,
        encoder="models/{bundle}/image_encoder.safetensors",
    output:
        update("results/library/{bundle}.npz"),
    params:
        pictures=library_pictures,
        code=RELATED_CODE,
        folder=untracked(config["library"]),
        bundle=untracked(bundle_of_library),
    message:
        "Looking at the pictures of {params.folder}"
    run:
        from scripts.figures import related

        related.index(
            params.pictures,
            output[0],
            params.bundle,
            code=params.code,
        )


rule related:
    """results/<image>/related.png: pictures nearest in meaning, and in pixels"""
    input:
        base=chain_base,
        library=library_index,
    output:
        report(
            "results/{chain}/related.png",
            category="Chains",
            subcategory="{chain}",
            labels={"figure": "related pictures"},
            caption="report/related.rst",
        ),
    params:
        base=chain_content,
        code=RELATED_CODE,
        bundle=untracked(bundle_of),
    message:
        "Pictures related to {input.base}"
    run:
        from scripts.figures import related

        related.draw(input.base, input.library, output[0], params.bundle)


rule figures:
    """every figure of every base"""
    input:
        all_figures,
    localrule: True
