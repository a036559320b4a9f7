"""The report (--report): few megabytes, with small copies of pictures, and a first page that says where figures are."""

from scripts.report import copy as small_copy

FIRST_PAGE = {
    "Figures": "in the menu on the left under Results, by game or by subject; each has a caption."
    " Pictures are small copies, and candidates and attention are those of round 1:"
    " results/index.html shows all of them as they are.",
}


def is_in_first_round(wildcards):
    """Whether a figure is of round 1, or of no single round."""
    return wildcards.get("round", "1") == "1"


lighten_report(small_copy, is_in_first_round, FIRST_PAGE)
