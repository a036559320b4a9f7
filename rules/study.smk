"""A study: many chains, measured together."""

from scripts.study import chains as studied

STUDY = {**settings.defaults(SCHEMA)["study"], **config["study"]}


@asked
def study_chains(_=None):
    """The chains of the study, once it is known that all can be played."""
    names = studied.names(base_files().files, STUDY, config["seed"], config["bundle"])
    for name in names:
        chain_called(name)
    return names


@asked
def study_tables(_):
    return [f"results/{name}/drift.tsv" for name in study_chains()]


@asked
def study_bases(_=None):
    return [str(base_files().find(chain_called(name).image)) for name in study_chains()]


@asked
def imported_tables(_):
    return [
        f"results/study/imported/{number}.tsv"
        for number in range(len(STUDY["imported"]))
    ]


def imported_folder(wildcards):
    return STUDY["imported"][int(wildcards.number)]


@asked
def imported_files(wildcards):
    """Every file of the folder, so that a changed one is measured anew."""
    folder = imported_folder(wildcards)
    if not os.path.isdir(folder):
        raise UserError(f"config: study.imported: there is no folder {folder}.")
    return sorted(
        os.path.join(place, file)
        for place, _, files in os.walk(folder)
        for file in files
    )


@asked
def config_attributes(_):
    path = bundle_called(config["bundle"]).folder / "attributes.yaml"
    return [str(path)] if path.exists() else []


def played():
    """The files of each chain of the study."""
    from pathlib import Path

    from scripts.study.exchange import Played

    rounds = range(1, config["rounds"] + 1)
    return [
        Played(
            name,
            Path(base),
            [Path(f"results/{name}/round{n}.txt") for n in rounds],
            [Path(f"results/{name}/round{n}.png") for n in rounds],
        )
        for name, base in zip(study_chains(), study_bases(), strict=True)
    ]


def every_round(ending):
    return [
        f"results/{name}/round{n}.{ending}"
        for name in study_chains()
        for n in range(1, config["rounds"] + 1)
    ]


@asked
def study_pictures(_):
    return every_round("png")


@asked
def study_texts(_):
    return every_round("txt")


rule study:
    input:
        expand(
            "results/study/{name}.svg",
            name=["curves", "mcd", "attributes", "attractors"],
        ),
        expand("results/study/{name}.tsv", name=["chains", "halflife", "ends"]),
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
    message:
        "Measuring the chains in {params.folder}"
    run:
        from scripts.study import exchange

        tell(
            exchange.measure_taken,
            params.folder,
            output[0],
            bundle=bundle_called(config["bundle"]),
            attributes=next(iter(input.attributes), None),
            embedding=params.embedding,
        )


rule study_export:
    input:
        pictures=study_pictures,
        texts=study_texts,
    output:
        directory("results/study/published"),
    message:
        "The study's chains in the published layout: {output}"
    run:
        from scripts.study import exchange

        tell(exchange.export, played(), output[0])


rule study_chains:
    input:
        tables=study_tables,
        imported=imported_tables,
        code=code("study/chains.py"),
    output:
        "results/study/chains.tsv",
    params:
        chains=study_chains,
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
        code=code("study/curves.py", "figures/plots.py"),
    output:
        table=report(
            "results/study/curves.tsv",
            category="Study",
            labels={"figure": "mean curves, table"},
            caption="report/curves.rst",
        ),
        plot=report(
            "results/study/curves.svg",
            category="Study",
            labels={"figure": "mean curves"},
            caption="report/curves.rst",
        ),
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
        code=code("study/semantic_drift.py", "figures/plots.py"),
    output:
        table=report(
            "results/study/mcd.tsv",
            category="Study",
            labels={"figure": "MCD and SDR, table"},
            caption="report/mcd.rst",
        ),
        similar="results/study/similarity.tsv",
        plot=report(
            "results/study/mcd.svg",
            category="Study",
            labels={"figure": "MCD and SDR"},
            caption="report/mcd.rst",
        ),
    params:
        embedding=config["embedding"],
    message:
        "MCD and SDR of the study"
    run:
        from scripts.study import semantic_drift

        tell(semantic_drift.write, input.chains, output.table, params.embedding)
        tell(semantic_drift.curves, input.chains, output.similar)
        tell(semantic_drift.draw, output.similar, output.table, output.plot)


rule study_attributes:
    input:
        chains="results/study/chains.tsv",
        code=code("study/attributes.py", "study/curves.py", "figures/plots.py"),
    output:
        table=report(
            "results/study/attributes.tsv",
            category="Study",
            labels={"figure": "attributes, table"},
            caption="report/attributes.rst",
        ),
        halves=report(
            "results/study/halflife.tsv",
            category="Study",
            labels={"figure": "half-lives"},
            caption="report/attributes.rst",
        ),
        plot=report(
            "results/study/attributes.svg",
            category="Study",
            labels={"figure": "attributes"},
            caption="report/attributes.rst",
        ),
    message:
        "Attributes and their half-lives in the study"
    run:
        from scripts.study import attributes

        tell(attributes.write, input.chains, output.table, output.halves)
        tell(attributes.draw, output.table, output.plot)


rule study_attractors:
    input:
        chains="results/study/chains.tsv",
        code=code("study/attractors.py", "figures/plots.py"),
    output:
        table=report(
            "results/study/attractors.tsv",
            category="Study",
            labels={"figure": "attractors, table"},
            caption="report/attractors.rst",
        ),
        ends="results/study/ends.tsv",
        plot=report(
            "results/study/attractors.svg",
            category="Study",
            labels={"figure": "attractors"},
            caption="report/attractors.rst",
        ),
    message:
        "Where the study's chains end"
    run:
        from scripts.study import attractors

        tell(attractors.write, input.chains, output.ends, output.table)
        tell(attractors.draw, output.table, output.plot)
