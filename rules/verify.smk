"""Whether what was recorded still comes out: snakemake verify"""

from scripts import verify


# It has no output, so that it runs whenever it is asked for.
rule verify:
    """plays a share of the recorded stages again and compares"""
    threads: 1
    resources:
        mem_mb=recorded_memory,
        gres=recorded_cards,
    params:
        share=config["verify"],
        table="results/verify.tsv",
        device=config["device"],
    message:
        "Playing {params.share:.0%} of the recorded stages again: {params.table}"
    run:
        told = verify.verify(
            params.share,
            params.table,
            chain_named=chain_named,
            bundle_called=bundle_called,
            device=params.device,
        )
        print(told)
