"""What a call says while it plays: one bar over all rounds, plain lines in a file, a summary.

It takes the place of Snakemake's own lines, which go on into the log file under .snakemake/log/.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from scripts import records

PAINTING = "generate"  # the rule whose end is the end of a round
# Rules whose work is told otherwise.
SILENT = {"caption", "generate", "strip", "page", "all", "figures", "refused"}
MISTAKE = "Mistake"  # the exception that a UserError becomes in a rule
FEW = 4  # paths named one by one at the end

# What Snakemake says without an event, and nobody who plays needs to read.
ROUTINE = (
    *("Assuming unrestricted shared filesystem usage", "Using shell:", "Building DAG of jobs"),
    *("Select jobs to execute", "Execute ", "Complete log", "Elapsed time", "Shutting down,"),
    *("Group jobs: inactive", "Conda environments: ignored", "Singularity containers: ignored"),
    *("Removing output files of failed job", "Exiting because a job execution failed"),
    *("Job failed, going on with independent jobs", "Provided ", "Rules claiming more threads"),
    *("Creating report", "Adding ", "Missing metadata for file", "Config file "),
    *("Waiting at most", "Touching output file", "Cleanup ", "Singularity ", "Finished jobid"),
)
UNFINISHED = re.compile(r"File (.+) marked for report but does not exist")
SAID_BY_SUMMARY = "At least one job did not complete successfully"
EVENTS = {
    *("run_info", "job_info", "job_finished", "job_error", "group_error", "error"),
    *("workflow_started", "shellcmd", "job_started", "group_info", "resources_info", "progress"),
    *("rulegraph", "debug_dag"),
}


@dataclass
class Played:
    """What a call has made so far."""

    painted: dict[str, int] = field(default_factory=dict)  # chain: rounds that were painted
    last: dict[str, str] = field(default_factory=dict)  # chain: its last picture
    files: dict[str, list[str]] = field(default_factory=dict)  # rule: what it wrote
    mistakes: list[str] = field(default_factory=list)  # messages of UserErrors, in their order

    def summary(self, seconds: float, shown: Callable[[str], str]) -> list[str]:
        """One or two lines on what was made, and where it lies."""
        lines = []
        if self.painted:
            rounds = sum(self.painted.values())
            games = len(self.painted)
            told = f"{_number(rounds, 'round')} of {_number(games, 'game')} in {_duration(seconds)}"
            where = [shown(path) for path in self.last.values()]
            if self.files.get("strip"):
                where = [shown(path) for path in self.files["strip"]]
            if len(where) > FEW:
                where = [f"{shown('results')}/<name>/, each with a strip.png"]
                if not self.files.get("strip"):
                    where = [f"{shown('results')}/<name>/"]
            lines.append(f"{told}: {', '.join(where)}")
        else:
            made = [path for rule, paths in self.files.items() if rule != "page" for path in paths]
            if made and len(made) <= FEW:
                lines.append(f"Made: {', '.join(shown(path) for path in made)}")
            elif made:
                lines.append(f"{_number(len(made), 'file')} made in {_duration(seconds)}.")
        pages = [shown(path) for path in self.files.get("page", [])[:1]]
        pages += [shown(path) for path in self.files.get("page_of_chain", [])]
        if pages and len(pages) <= FEW:
            lines.append(f"Look at it in a browser: {', '.join(pages)}")
        return lines


class Handler(logging.Handler):
    """Tells what Snakemake's events mean to somebody who plays.

    `usual` formats, as Snakemake does, what is told as it stands: failures of other kinds.
    `rounds` says how many rounds a chain is meant to have, and `shown` how a path is written.
    """

    def __init__(
        self,
        screen: Plain | Bar,
        usual: logging.Formatter,
        rounds: Callable[[str], int],
        shown: Callable[[str], str] = str,
    ) -> None:
        super().__init__(logging.INFO)
        self.screen, self.usual, self.rounds, self.shown = screen, usual, rounds, shown
        self.played = Played()
        self.jobs: dict[int, dict[str, Any]] = {}
        self.begun = time.monotonic()
        self.untold = 0  # mistakes whose job has not been reported as failed yet
        self.strange: set[str] = set()  # what was told of unfamiliar base pictures
        self.failed = self.over = False

    def emit(self, record: logging.LogRecord) -> None:
        """Tells one event."""
        try:
            event = getattr(record, "event", None)
            event = getattr(event, "value", event)
            tell = getattr(self, f"_{event}", None) if event in EVENTS else None
            if tell:
                tell(record)
            elif event is None:
                self._line(record)
        except Exception:  # a display must never stop a game
            self.handleError(record)

    def close(self) -> None:
        """Says at the end what was made, and what went wrong."""
        if not self.over:
            self.over = True
            self.screen.stop()
            if not self.failed or self.played.painted or self.played.files:
                seconds = time.monotonic() - self.begun
                for line in self.played.summary(seconds, self.shown):
                    self.screen.say(line)
            for line in failures(self.played.mistakes):
                self.screen.say(line)
        super().close()

    # --- Snakemake's events

    def _run_info(self, record: logging.LogRecord) -> None:
        counts = (
            getattr(record, "stats", None) or getattr(record, "per_rule_job_counts", None) or {}
        )
        self.screen.start(sum(n for rule, n in counts.items() if rule not in ("total", "all")))

    def _job_info(self, record: logging.LogRecord) -> None:
        job = {"rule": record.rule_name, "wildcards": dict(record.wildcards or {})}
        self.jobs[record.jobid] = {**job, "output": list(record.output or [])}
        if record.rule_name not in SILENT and record.rule_msg:
            self.screen.say(str(record.rule_msg), passing=True)

    def _job_finished(self, record: logging.LogRecord) -> None:
        job = self.jobs.pop(record.job_id, None)
        if job is None or job["rule"] in ("all", "figures", "play"):
            return
        if job["rule"] == PAINTING:
            self._painted(job)
        else:
            if job["rule"] == "caption" and job["wildcards"]["round"] == "1":
                self._described(job)
            self.played.files.setdefault(job["rule"], []).extend(job["output"][:1])
        self.screen.advance()

    def _described(self, job: dict[str, Any]) -> None:
        """Tells once of each base picture that is unlike those the captioner was trained on."""
        record = records.read_if_sound(job["output"][1])
        base = Path(str(record.get("source", ""))).name
        if (note := records.unfamiliar(record)) and f"{base}: {note}" not in self.strange:
            self.strange.add(f"{base}: {note}")
            self.screen.say(
                f"{base}: this picture is {note}, so its captions are guesses (familiarity"
                f" {record['familiarity']:.2f}; {record['familiar']:.2f} is the least of familiar"
                " ones). For photographs, play with a larger bundle: see README.md."
            )

    def _painted(self, job: dict[str, Any]) -> None:
        chain, round_ = job["wildcards"]["chain"], int(job["wildcards"]["round"])
        picture, record = job["output"][:2]
        self.played.painted[chain] = self.played.painted.get(chain, 0) + 1
        if self.rounds(picture) >= self.rounds(self.played.last.get(chain, "")):
            self.played.last[chain] = picture
        made = records.read_if_sound(record)
        self.screen.round(chain, round_, made.get("caption", ""), made.get("unknown_words") or [])

    def _error(self, record: logging.LogRecord) -> None:
        self.failed = True
        message = record.getMessage()
        if getattr(record, "exception", "") == MISTAKE:
            self.untold += 1
            told = message.removeprefix("Error: ")
            if told not in self.played.mistakes:
                self.played.mistakes.append(told)
        elif missing := UNFINISHED.search(message):
            self.played.mistakes.append(
                f"{missing[1]}: a report shows what has been made, and this has not. "
                "First give the same command without --report."
            )
        elif SAID_BY_SUMMARY not in message or not self.played.mistakes:
            self.screen.say(message)

    def _job_error(self, record: logging.LogRecord) -> None:
        self.failed = True
        self.jobs.pop(getattr(record, "jobid", None), None)
        if self.untold:
            self.untold -= 1  # the summary says it better
        else:
            self.screen.say(self.usual.format(record))

    def _group_error(self, record: logging.LogRecord) -> None:
        self.failed = True
        self.screen.say(self.usual.format(record))

    def _line(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith("Building DAG of jobs"):
            self.screen.plan()
        elif message.startswith(ROUTINE) or not message or message == "None":
            return
        else:
            self.screen.say(message)


def failures(mistakes: Iterable[str]) -> list[str]:
    """The last lines of a call in which something went wrong: what, and what to do."""
    told = [f"Error: {message}" for message in mistakes]
    if len(told) > 1:
        return ["", f"{len(told)} things went wrong; all else was made:", *told]
    return told


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Plain:
    """Lines for a log file: one for each round."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr

    def plan(self) -> None:
        """The work is being planned."""

    def start(self, steps: int) -> None:
        """There are `steps` files to be made."""

    def round(self, chain: str, number: int, caption: str, unknown: list[str]) -> None:
        """A round has been painted."""
        self.say(f"{chain}, round {number}: {caption}{not_known(unknown)}")

    def advance(self) -> None:
        """One step is done."""

    def say(self, line: str, passing: bool = False) -> None:
        """A line to keep; a `passing` one says what is going on."""
        print(_printable(line), file=self.stream, flush=True)

    def stop(self) -> None:
        """The work is over."""


class Bar:
    """One bar on a terminal, with the newest caption."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining
        from rich.table import Column

        self.console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=False)
        one_line = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self.progress = Progress(
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            Remaining(compact=True),
            TextColumn("{task.fields[now]}", table_column=one_line, markup=False),
            console=self.console,
            transient=True,
            expand=True,
            refresh_per_second=5,
        )
        self.task = self.progress.add_task("", total=None, now="")

    def plan(self) -> None:
        """The work is being planned."""
        self.progress.update(self.task, now="finding out what there is to do")
        self.progress.start()

    def start(self, steps: int) -> None:
        """There are `steps` files to be made."""
        self.progress.update(self.task, total=max(1, steps), now="")
        self.progress.start()

    def round(self, chain: str, number: int, caption: str, unknown: list[str]) -> None:
        """A round has been painted."""
        told = f"{chain}, round {number}: {caption}{not_known(unknown)}"
        self.progress.update(self.task, now=_printable(told))

    def advance(self) -> None:
        """One step is done."""
        self.progress.advance(self.task)

    def say(self, line: str, passing: bool = False) -> None:
        """A line to keep; a `passing` one, which says what is going on, is shown beside the bar."""
        if passing:
            self.progress.update(self.task, now=_printable(line))
        else:
            self.console.print(_printable(line), markup=False, soft_wrap=True)

    def stop(self) -> None:
        """The work is over."""
        self.progress.stop()


def not_known(words: list[str]) -> str:
    """How words are told that the painter does not know."""
    return f" (not known to the painter: {', '.join(words)})" if words else ""


def _printable(line: str) -> str:
    """The line without control characters, which a caption or a name could send to a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in line)
