"""A study: many chains, measured together."""


rule study:
    input:
        expand(
            "results/study/{name}.svg",
            name=["curves", "mcd", "attributes", "attractors"],
        ),
        expand("results/study/{name}.tsv", name=["chains", "halflife", "ends"]),
        "results/study/README.md",
    localrule: True


rule study_import:
    input:
        files=imported_files,
        attributes=config_attributes,
    output:
        "results/study/imported/{number}.tsv",
    wildcard_constraints:
        number=r"\d+",
    params:
        folder=imported_folder,
        embedding=config["embedding"],
        code=code_of("scripts.study.exchange", *MEANING),
    message:
        "Measuring the chains in {params.folder}"
    run:
        from scripts.study import exchange

        tell(
            exchange.measure_taken,
            params.folder,
            output[0],
            **measures(bundle_called(config["bundle"]), input, params, threads),
        )


rule study_export:
    input:
        pictures=study_pictures,
        texts=study_texts,
    output:
        directory("results/study/published"),
    params:
        code=code_of("scripts.study.exchange"),
    message:
        "The study's chains in the published layout: {output}"
    run:
        from scripts.study import exchange

        tell(exchange.export, played(), output[0])


rule study_chains:
    input:
        tables=study_tables,
        imported=imported_tables,
    output:
        "results/study/chains.tsv",
    params:
        chains=study_chains,
        code=code_of("scripts.study.chains"),
    message:
        "The drift of all chains in one table: {output}"
    run:
        tell(
            studied.join,
            input.tables,
            params.chains,
            study_bases(),
            output[0],
            config["seed"],
            config["bundle"],
            input.imported,
        )


rule study_curves:
    input:
        chains="results/study/chains.tsv",
    output:
        table=report(
            "results/study/curves.tsv",
            category="Study",
            subcategory="What chains keep",
            labels={"figure": "mean curves, table"},
            caption="report/curves.rst",
        ),
        plot=report(
            "results/study/curves.svg",
            category="Study",
            subcategory="What chains keep",
            labels={"figure": "mean curves"},
            caption="report/curves.rst",
        ),
    params:
        code=code_of("scripts.study.curves"),
    message:
        "Mean curves of the study"
    run:
        from scripts.study import curves

        tell(curves.write, input.chains, output.table)
        tell(
            curves.draw,
            output.table,
            output.plot,
            curves.MEASURES,
            "What chains keep",
        )


rule study_mcd:
    input:
        chains="results/study/chains.tsv",
    output:
        table=report(
            "results/study/mcd.tsv",
            category="Study",
            subcategory="MCD and SDR",
            labels={"figure": "MCD and SDR, table"},
            caption="report/mcd.rst",
        ),
        similar="results/study/similarity.tsv",
        plot=report(
            "results/study/mcd.svg",
            category="Study",
            subcategory="MCD and SDR",
            labels={"figure": "MCD and SDR"},
            caption="report/mcd.rst",
        ),
    params:
        embedding=config["embedding"],
        generations=STUDY["generations"],
        code=code_of("scripts.study.semantic_drift"),
    message:
        "MCD and SDR of the study"
    run:
        from scripts.study import semantic_drift

        tell(
            semantic_drift.measure,
            input.chains,
            *output,
            params.embedding,
            params.generations,
        )


rule study_attributes:
    input:
        chains="results/study/chains.tsv",
    output:
        table=report(
            "results/study/attributes.tsv",
            category="Study",
            subcategory="What chains keep",
            labels={"figure": "attributes, table"},
            caption="report/attributes.rst",
        ),
        halves=report(
            "results/study/halflife.tsv",
            category="Study",
            subcategory="What chains keep",
            labels={"figure": "half-lives"},
            caption="report/attributes.rst",
        ),
        plot=report(
            "results/study/attributes.svg",
            category="Study",
            subcategory="What chains keep",
            labels={"figure": "attributes"},
            caption="report/attributes.rst",
        ),
    params:
        code=code_of("scripts.study.attributes"),
    message:
        "Attributes and their half-lives in the study"
    run:
        from scripts.study import attributes

        tell(attributes.write, input.chains, output.table, output.halves)
        tell(attributes.draw, output.table, output.plot)


rule study_attractors:
    input:
        chains="results/study/chains.tsv",
    output:
        table=report(
            "results/study/attractors.tsv",
            category="Study",
            subcategory="Where chains end",
            labels={"figure": "attractors, table"},
            caption="report/attractors.rst",
        ),
        ends="results/study/ends.tsv",
        plot=report(
            "results/study/attractors.svg",
            category="Study",
            subcategory="Where chains end",
            labels={"figure": "attractors"},
            caption="report/attractors.rst",
        ),
    params:
        code=code_of("scripts.study.attractors"),
    message:
        "Where the study's chains end"
    run:
        from scripts.study import attractors

        tell(attractors.write, input.chains, output.ends, output.table)
        tell(attractors.draw, output.table, output.plot)


rule study_page:
    input:
        tables=expand(
            "results/study/{name}.tsv",
            name=["chains", "curves", "mcd", "halflife", "attractors", "ends"],
        ),
    output:
        "results/study/README.md",
    params:
        code=code_of("scripts.study.page"),
    message:
        "The study on one page: {output}"
    run:
        from scripts.study import page

        tell(page.write, "results/study", output[0])
