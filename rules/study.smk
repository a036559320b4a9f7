"""A study: many chains, measured together."""


rule study:
    """many chains, measured together: results/study/"""
    input:
        expand(
            "results/study/{name}.svg",
            name=[
                "curves",
                "mcd",
                "attributes",
                "survival",
                "attractors",
                "diversity",
            ],
        ),
        "results/study/README.md",
    localrule: True


rule study_import:
    input:
        files=imported_files,
        attributes=config_attributes,
        meaning=config_encoders,
        judge=judge_files,
    output:
        table="results/study/imported/{number}.tsv",
        vectors="results/study/imported/{number}.npz",
    wildcard_constraints:
        number=r"\d+",
    threads: 1
    resources:
        mem_mb=3000,
    params:
        folder=imported_folder,
        embedding=config["embedding"],
        judge=config["judge"],
        code=code_of("scripts.study.exchange", *MEANING, *JUDGE),
        attributes=optional_input("attributes"),
        bundle=untracked(bundle_of_config),
    message:
        "Measuring the chains in {params.folder}"
    run:
        from scripts.study import exchange

        exchange.measure_taken(
            params.folder,
            *output,
            bundle=params.bundle,
            attributes=params.attributes,
            embedding=params.embedding,
            judge=params.judge,
            threads=threads,
        )


rule study_export:
    """results/study/published: the chains of the study in the published layout"""
    input:
        pictures=study_pictures,
        texts=study_texts,
    output:
        directory("results/study/published"),
    params:
        truth=study_truth,
        code=code_of("scripts.study.exchange"),
        chains=untracked(played_chains),
    message:
        "The study's chains in the published layout: {output}"
    run:
        from scripts.study import exchange

        exchange.export(params.chains, output[0], params.truth)


rule study_chains:
    input:
        tables=study_tables,
        imported=imported_tables,
    output:
        "results/study/chains.tsv",
    params:
        chains=chains_of_study,
        code=code_of("scripts.study.chains"),
        bases=untracked(study_bases),
        seed=untracked(config["seed"]),
        bundle=untracked(config["bundle"]),
        passage=untracked(passage_of_config()),
    message:
        "The drift of all chains in one table: {output}"
    run:
        studied.join(
            input.tables,
            params.chains,
            params.bases,
            output[0],
            seed=params.seed,
            bundle=params.bundle,
            imported=input.imported,
            passage=params.passage,
        )


rule study_curves:
    input:
        chains="results/study/chains.tsv",
        vectors=study_vectors,
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

        curves.write(input.chains, input.vectors, output.table)
        curves.draw_measures(output.table, output.plot)


rule study_mcd:
    input:
        chains="results/study/chains.tsv",
        vectors=study_vectors,
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

        semantic_drift.measure(
            input.chains,
            input.vectors,
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
        survival="results/study/survival.tsv",
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
        steps=report(
            "results/study/survival.svg",
            category="Study",
            subcategory="What chains keep",
            labels={"figure": "survival"},
            caption="report/survival.rst",
        ),
    params:
        code=code_of("scripts.study.attributes"),
    message:
        "Attributes, their survival and half-lives in the study"
    run:
        from scripts.study import attributes

        attributes.measure(input.chains, *output)


rule study_comparisons:
    input:
        chains="results/study/chains.tsv",
    output:
        "results/study/comparisons.tsv",
    params:
        generations=STUDY["generations"],
        code=code_of("scripts.study.comparisons"),
    message:
        "The study's bundles side by side"
    run:
        from scripts.study import comparisons

        comparisons.write(input.chains, output[0], params.generations)


rule study_doses:
    input:
        curves="results/study/curves.tsv",
        attributes="results/study/attributes.tsv",
    output:
        table="results/study/doses.tsv",
        plot=report(
            "results/study/doses.svg",
            category="Study",
            subcategory="What chains keep",
            labels={"figure": "doses and responses"},
            caption="report/doses.rst",
        ),
    params:
        code=code_of("scripts.study.doses"),
    message:
        "Doses and responses of the study"
    run:
        from scripts.study import doses

        doses.write(input.curves, input.attributes, output.table)
        doses.draw(output.table, output.plot)


rule study_baselines:
    input:
        chains="results/study/chains.tsv",
        vectors=study_vectors,
    output:
        "results/study/baselines.tsv",
    params:
        generations=STUDY["generations"],
        code=code_of("scripts.study.baselines"),
    message:
        "How much of the study's drift is the loop's own"
    run:
        from scripts.study import baselines

        baselines.write(
            input.chains,
            input.vectors,
            output[0],
            params.generations,
        )


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
        settled="results/study/settled.tsv",
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

        attractors.write(
            input.chains,
            output.ends,
            output.table,
            output.settled,
        )
        attractors.draw(output.table, output.plot)


rule study_themes:
    input:
        chains="results/study/chains.tsv",
        vectors=study_vectors,
    output:
        themes="results/study/themes.tsv",
        basins="results/study/basins.tsv",
    params:
        code=code_of("scripts.study.themes"),
    message:
        "Themes of the study's last captions"
    run:
        from scripts.study import themes

        themes.write(input.chains, input.vectors, *output)


rule study_dynamics:
    input:
        chains="results/study/chains.tsv",
    output:
        moves="results/study/transitions.tsv",
        variety="results/study/diversity.tsv",
        attracted="results/study/attraction.tsv",
        plot=report(
            "results/study/diversity.svg",
            category="Study",
            subcategory="Where chains end",
            labels={"figure": "diversity"},
            caption="report/diversity.rst",
        ),
    params:
        code=code_of("scripts.study.dynamics"),
    message:
        "How the study's chains move"
    run:
        from scripts.study import dynamics

        dynamics.write(
            input.chains,
            output.moves,
            output.variety,
            output.attracted,
        )
        dynamics.draw(output.variety, output.plot)


rule study_page:
    input:
        expand("results/study/{name}.tsv", name=STUDY_TABLES),
    output:
        "results/study/README.md",
    params:
        code=code_of("scripts.study.page"),
    message:
        "The study on one page: {output}"
    run:
        from scripts.study import page

        page.write("results/study", output[0])
