"""What a call says: see scripts/terminal.py."""

from scripts import terminal


def our_handler(usual):
    """What takes the place of Snakemake's log handler: a bar on a terminal, lines elsewhere."""
    bar = config["terminal"] == "auto" and usual.is_tty and usual.can_color_tty()
    screen = (terminal.Bar if bar else terminal.Plain)(usual.stream)
    return terminal.Handler(screen, usual.formatter, _number_of, _shown)


def _number_of(picture):
    """The number in the path of a round's picture; 0 if there is none."""
    digits = Path(picture).stem.removeprefix("round")
    return int(digits) if digits.isdecimal() else 0


def _shown(path):
    """A path as it can be opened from where the call was made."""
    return os.path.abspath(path) if workflow.overwrite_workdir else path


# None where Snakemake speaks itself.
spoken = None if config["terminal"] == "snakemake" else replace_log_handler(our_handler)
