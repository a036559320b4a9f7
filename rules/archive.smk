"""The results as one archive for a repository: snakemake archive"""


rule archive:
    """everything in results/ as one zip for a repository (Workflow RO-Crate)"""
    input:
        game=whole_game,
        figures=figures_asked_for,
    output:
        "results/archive.zip",
    localrule: True
    params:
        code=code_of("scripts.archive"),
        beside=stands_beside,
    message:
        "Archiving all games: {output}"
    run:
        from scripts import archive

        archive.write("results", HOME, output[0])
