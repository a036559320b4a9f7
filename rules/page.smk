"""The page to look at: results/index.html, and one of each chain by name."""


rule page:
    """results/index.html: the page of all games"""
    input:
        strips=strips,
        figures=figures_asked_for,
    output:
        page="results/index.html",
        data="results/index_files/data.js",
    localrule: True
    threads: 4
    params:
        beside=stands_beside,
        code=PAGE_CODE,
        seed=untracked(config["seed"]),
        bundle=untracked(config["bundle"]),
    message:
        "The page of all games: {output.page}"
    run:
        from scripts.page import write

        write.front(
            "results",
            find_base,
            seed=params.seed,
            bundle=params.bundle,
            threads=threads,
        )


rule page_of_chain:
    """results/<chain>/index.html: the page of one game"""
    input:
        base=chain_base,
        pictures=chain_pictures,
        texts=chain_texts,
        figures=figures_asked_of,
    output:
        "results/{chain}/index.html",
    localrule: True
    params:
        beside=stands_in,
        code=PAGE_CODE,
        seed=untracked(config["seed"]),
        bundle=untracked(config["bundle"]),
    message:
        "The page of {wildcards.chain}: {output}"
    run:
        from scripts.page import write

        write.one(
            f"results/{wildcards.chain}",
            find_base,
            seed=params.seed,
            bundle=params.bundle,
        )


onerror:
    show_the_rest()
