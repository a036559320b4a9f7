"""How far a chain drifts: figures of each round, and their curves."""

from scripts.drift import chain as drifting


rule drift:
    """results/<chain>/drift.tsv: what is kept, round by round"""
    input:
        base=chain_base,
        pictures=chain_pictures,
        texts=chain_texts,
        meaning=meaning_files,
        attributes=attributes_of,
        judge=judge_files,
    output:
        table=report(
            "results/{chain}/drift.tsv",
            category="Chains",
            subcategory="{chain}",
            labels={"figure": "drift, table"},
            caption="report/drift.rst",
        ),
        vectors="results/{chain}/vectors.npz",
    threads: 1
    resources:
        mem_mb=2000,
    params:
        embedding=config["embedding"],
        judge=config["judge"],
        truth=truth_of,
        code=code_of("scripts.drift.chain", *MEANING, *JUDGE),
        attributes=optional_input("attributes"),
        bundle=untracked(bundle_of),
    message:
        "Measuring the drift of {wildcards.chain}"
    run:
        drifting.write(
            input.base,
            input.pictures,
            input.texts,
            *output,
            truth=params.truth,
            bundle=params.bundle,
            attributes=params.attributes,
            embedding=params.embedding,
            judge=params.judge,
            threads=threads,
        )


rule drift_plot:
    """results/<chain>/drift.svg: the same as curves"""
    input:
        table="results/{chain}/drift.tsv",
    output:
        report(
            "results/{chain}/drift.svg",
            category="Chains",
            subcategory="{chain}",
            labels={"figure": "drift"},
            caption="report/drift.rst",
        ),
    params:
        code=code_of("scripts.drift.plot"),
    message:
        "Drawing the drift of {wildcards.chain}"
    run:
        from scripts.drift import plot

        plot.draw(input.table, output[0], wildcards.chain)
