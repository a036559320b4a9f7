"""The telephone game, played by two networks: snakemake --cores 1 results/cow/round5.png"""

from pathlib import Path

if Path("config.yaml").exists():

    configfile: "config.yaml"


wildcard_constraints:
    # Loose on purpose: what is wrong in between is told by common.smk, in words.
    chain=r"[^/]+",
    round=r"[^/]*",


include: "rules/common.smk"
include: "rules/weights.smk"
include: "rules/telephone.smk"
include: "rules/figures.smk"
include: "rules/drift.smk"
include: "rules/study.smk"
# The training wing: the game plays without these three lines.
include: "rules/recipes.smk"
include: "rules/training.smk"
include: "rules/storybook.smk"


rule all:
    default_target: True
    input:
        whole_game,
    localrule: True
