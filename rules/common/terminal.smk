"""What a call says: see scripts/terminal.py."""

from snakemake.logging import logger

from scripts import terminal


def speak():
    """Puts our lines in the place of Snakemake's own, unless somebody wants those.

    They are wanted in a dry run, in jobs of a cluster, and by whoever chooses how much is told:
    `terminal: snakemake` in the config, --logger, --quiet, --verbose, --printshellcmds, --debug-dag.
    """
    said = workflow.output_settings
    chosen = said.verbose or said.quiet or said.printshellcmds or said.debug_dag
    if said.dryrun or chosen or said.log_handler_settings:
        return
    if workflow.exec_mode.name != "DEFAULT" or config["terminal"] == "snakemake":
        return
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            logger.removeHandler(handler)
            bar = (
                handler.is_tty
                and handler.can_color_tty()
                and config["terminal"] == "auto"
            )
            screen = terminal.Bar if bar else terminal.Plain
            ours = terminal.Handler(
                screen(handler.stream), handler.formatter, _number_of, _shown
            )
            logger.addHandler(ours)
            return ours


def _number_of(picture):
    """The number in the path of a round's picture; 0 if there is none."""
    digits = Path(picture).stem.removeprefix("round")
    return int(digits) if digits.isdecimal() else 0


def _shown(path):
    """A path as it can be opened from where the call was made."""
    return os.path.abspath(path) if workflow.overwrite_workdir else path


spoken = speak()  # None where Snakemake speaks itself
