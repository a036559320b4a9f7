"""The telephone game, played by two networks: snakemake --cores 1 results/cow/round5.png"""

from pathlib import Path


wildcard_constraints:
    # Loose on purpose: what is wrong in between is told by rules/common/, in words.
    chain=r"[^/]+",
    round=r"[^/]*",


# How Snakemake plays.
include: "rules/common/engine.smk"
# What the rules ask: the settings in config.yaml, functions of chains, bundles, figures, studies.
include: "rules/common/messages.smk"
include: "rules/common/params.smk"
include: "rules/common/settings.smk"
include: "rules/common/terminal.smk"
include: "rules/common/chains.smk"
include: "rules/common/stages.smk"
include: "rules/common/targets.smk"
include: "rules/common/figures.smk"
include: "rules/common/page.smk"
include: "rules/common/report.smk"
include: "rules/common/drift.smk"
include: "rules/common/study.smk"
# What the rules make.
include: "rules/weights.smk"
include: "rules/telephone.smk"
include: "rules/figures.smk"
include: "rules/page.smk"
include: "rules/archive.smk"
include: "rules/drift.smk"
include: "rules/study.smk"
include: "rules/verify.smk"
# The training wing: the game plays without these three lines.
include: "rules/common/training.smk"
include: "rules/training.smk"
include: "rules/storybook.smk"


rule all:
    """every base in input/: captions, pictures, strips and the page results/index.html"""
    default_target: MAIN
    input:
        whole_game,
    localrule: True
