"""The report (--report): few megabytes, with small copies of pictures, and a first page that says where figures are."""

import sys

FIRST_PAGE = {
    "Figures": "in the menu on the left under Results, by game or by subject; each has a caption."
    " Pictures are small copies, and candidates and attention are those of round 1:"
    " results/index.html shows all of them as they are.",
}


def lighten(reporter):
    """Has Snakemake's reporter take small copies, and open on FIRST_PAGE, not on the rules' graph.

    What it offers for that is metadata, which a template in a file must hold (--report-metadata);
    there is nothing for the size of pictures.
    """
    from scripts import report

    whole = reporter.data.results.get_result_uri
    render = reporter.Reporter.render

    def small(result, embedded):
        return (report.copy(result.path) if embedded else None) or whole(
            result, embedded
        )

    def with_first_page(self):
        self.metadata = self.metadata or FIRST_PAGE
        if self.mode_embedded:
            for figures in self.results.values():
                for shown in figures.values():
                    shown[:] = [one for one in shown if in_first_round(one)]
        return render(self)

    reporter.data.results.get_result_uri = small
    reporter.Reporter.render = with_first_page


def in_first_round(figure):
    """Whether a figure is of round 1, or of no single round."""
    return figure.raw_wildcards.get("round", "1") == "1"


# It is imported before the rules are read if a report was asked for, and only then.
if "snakemake.report.html_reporter" in sys.modules:
    lighten(sys.modules["snakemake.report.html_reporter"])
