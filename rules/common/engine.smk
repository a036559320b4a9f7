"""The engine room: everything that reaches into Snakemake's insides, and nothing else does.

With a release of Snakemake that is not among TESTED, none of it is on. The game then plays the same
files, but more slowly; a signal ends it later, a job that fails removes what stood in its place, and
Snakemake shows its own messages. docs/upstream.md holds what could be offered to Snakemake instead.
"""

import os
import resource
import sys
from contextlib import contextmanager, suppress
from functools import wraps

from snakemake.common import __version__ as RELEASE
from snakemake.dag import DAG
from snakemake.exceptions import ApiError, LockException, WorkflowError
from snakemake.executors.local import Executor as LocalExecutor
from snakemake.io import sourcecache_entry
from snakemake.jobs import GroupJob, Job
from snakemake.logging import logger
from snakemake.persistence import PersistenceBase
from snakemake.scheduling.job_scheduler import JobScheduler

from scripts import signals
from scripts.errors import UserError
from scripts.folder_locks import FolderLocks

TESTED = ("9.25", "9.26", "9.27")  # releases of Snakemake: docs/upstream.md

# The stages of a chain are one group of jobs on a cluster. (Elsewhere there are no groups: a dry run
# would spend minutes on them.)
GROUP = "chain"
GROUPED = {"caption": GROUP, "generate": GROUP}
# Stages of one cluster job at the most: all are named in one argument of a command line, which
# Linux limits to 128 KiB; and loading the networks once in a thousand stages is seldom enough.
MOST_STAGES = 1000

GRACE = 3  # seconds that stages have to end after a signal
CANCELLING = 60  # seconds that cancelling the jobs of a cluster may take


def is_tested(release):
    return ".".join(release.split(".")[:2]) in TESTED


ON = is_tested(RELEASE)
# Whether this is the workflow that was called, not a module of another one.
MAIN = not ON or workflow.modifier.is_main_snakefile()
# Whether a workflow that uses this one as a module gives it its settings.
CONFIGURED = getattr(getattr(workflow, "modifier", None), "skip_configfile", False)


def check_module():
    """Ends the call of a workflow that uses this one with a `prefix:`, which cannot work."""
    modifier = getattr(getattr(workflow, "modifier", None), "path_modifier", None)
    if getattr(modifier, "prefix", None) or getattr(
        modifier, "_prefix_replacements", None
    ):
        sys.exit(
            "Error: module: TelephoneGAN cannot be used with prefix: or replace_prefix:, since its rules"
            " look into input/, models/ and results/ of the working folder to see what there is to do."
            " Leave the line out, or play in a folder of its own: snakemake --directory."
        )


check_module()


def patched(plain, ours):
    """`ours`, called with what it replaces as its first argument; only once in its place."""
    if hasattr(plain, "replaces"):
        return plain

    @wraps(plain)
    def call(*args, **kwargs):
        return ours(plain, *args, **kwargs)

    call.replaces = plain
    return call


# --- long chains

# A round depends on the round before, and Snakemake follows dependencies by recursion, as deep as
# the longest chain: Python must allow that, and the system must let this thread's stack grow.
STACK = 2**30  # bytes at the most; a thousand rounds take some 2 MiB
sys.setrecursionlimit(max(sys.getrecursionlimit(), 1_000_000))
soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
if 0 <= soft < STACK:
    resource.setrlimit(
        resource.RLIMIT_STACK, (STACK if hard < 0 else min(STACK, hard), hard)
    )


# --- messages


class MessageAlone:
    """An error of which Snakemake shows the message alone.

    It prints the lines of rules that an exception came through; this one has come through none.
    """

    if ON:
        __traceback__ = property(lambda self: None, lambda self, value: None)


class Mistake(MessageAlone, ApiError):
    """A person's mistake that is found in a `run:` block."""


@contextmanager
def user_errors():
    """Has a UserError shown as its message alone; SystemExit in a `run:` block would hang the call."""
    try:
        yield
    except UserError as error:
        raise Mistake(str(error)) from None


def run_plainly(run, *args, **kwargs):
    """Runs a `run:` block."""
    with user_errors():
        return run(*args, **kwargs)


# --- one process plays many stages


def in_own_process(*rules):
    """Has the jobs of these rules run in processes of their own, as Snakemake does by itself."""
    if ON:
        own = workflow.__dict__.setdefault("rules_with_processes", set())
        own.update(map(workflow.modifier.modify_rulename, rules))


def run_single_job(plain, executor, job):
    """Has `run:` blocks run on threads of this process, so that networks are loaded once.

    (And a UserError in them shown as its message alone.)

    Snakemake spawns a new process for each of them otherwise, which imports and loads everything
    again. It is what --force-use-threads does; this holds inside cluster jobs, too.
    """
    always = executor.workflow.execution_settings.use_threads
    own = getattr(executor.workflow, "rules_with_processes", ())
    executor.use_threads = always or job.rule.name not in own
    job.rule.run_func = patched(job.rule.run_func, run_plainly)
    return plain(executor, job)


# --- what comes next


def choose_quickly(at_once):
    """Has Snakemake choose what comes next in a time that does not grow with what waits."""
    scheduling = workflow.scheduling_settings
    # Of what is ready anything will do: it weighs as many jobs as can run at once, not all.
    scheduling.subsample = scheduling.subsample or at_once
    # It starts no more than a hundred jobs in a second, and to that end looks for jobs again a
    # second after each look: while chains wait for their turn, no such row of looks ever ends, and
    # each job begins a new one. What runs at once is limit enough, unless somebody asks for less.
    limit = scheduling.max_jobs_per_timespan
    if limit and (workflow.local_exec or limit.max_jobs >= at_once):
        scheduling.max_jobs_per_timespan = None


def remaining_jobs(plain, scheduler):
    """Nothing while jobs are ready: what remains beyond them is for schedulers that look ahead.

    When nothing is ready, Snakemake asks whether something remains, and is told.
    """
    if scheduler.workflow.scheduling_settings.scheduler != "greedy":
        return plain(scheduler)
    return [] if scheduler.open_jobs else plain(scheduler)


# --- groups of jobs on a cluster


def group_chains():
    """Makes the stages of a chain one cluster job, and its chains share the networks."""
    groups = workflow.group_settings
    groups.overwrite_groups = {**GROUPED, **groups.overwrite_groups}
    # A job step of SLURM plays the chains of its job one after the other, each in a process of its
    # own, unless they are one group there, too.
    if workflow.remote_exec:
        groups.group_components = {GROUP: sys.maxsize}


def share_out(plain, dag):
    """Puts as many chains into one cluster job as it takes to give each job its share.

    Each job loads the networks once, whatever it plays. `--group-components chain=…` is obeyed.
    """
    settings = dag.workflow.group_settings
    asked_for = dag.workflow.__dict__.setdefault(
        "asked_group_components", dict(settings.group_components)
    )
    jobs = dag.workflow.resource_settings.nodes
    stages = [job for job, group in dag._group.items() if group.groupid == GROUP]
    if jobs and stages and GROUP not in asked_for:
        chains = len({id(dag._group[job]) for job in stages})
        fitting = MOST_STAGES * chains // (2 * len(stages))
        settings.group_components = {
            **asked_for,
            GROUP: max(1, min(-(-chains // jobs), fitting)),
        }
    plain(dag)


# What Snakemake does with groups grows with the cube of their number, and faster: minutes for one
# chain of 300 rounds, days for a hundred chains of 100. These give the same answers.


def check_groups(plain, dag):
    """Whether a path leaves a group and comes back: looked for once a group, not once a job."""
    for group in {id(group): group for group in dag._group.values()}.values():
        outside = {
            dependency
            for job in group.jobs
            for dependency in dag._dependencies[job]
            if dependency not in group.jobs
        }
        ahead = list(outside)
        while ahead:
            for dependency in dag._dependencies[ahead.pop()]:
                if dependency in group.jobs:
                    return plain(dag)  # which tells what is wrong
                if dependency not in outside:
                    outside.add(dependency)
                    ahead.append(dependency)


def equal_groups(plain, group, other):
    """A group is itself; Snakemake compares it job by job to see that."""
    return group is other or plain(group, other)


def merge_groups(plain, group, other):
    """What a group holds already need not be merged into it job by job."""
    if not other.jobs <= group.jobs:
        plain(group, other)


# --- the end by a signal


def cluster_plays():
    scheduler = getattr(workflow, "_scheduler", None)
    return scheduler is not None and not workflow.local_exec


def stop():
    """Has Snakemake begin nothing new; how many seconds what runs may take to end.

    As Snakemake's own handler of SIGTERM, which takes a lock that the thread it interrupts may hold.
    """
    scheduler = getattr(workflow, "_scheduler", None)
    if scheduler is None:
        return 0  # nothing has begun
    if cluster_plays():
        return CANCELLING
    scheduler._user_kill = "graceful"
    scheduler._open_jobs.release()
    return GRACE


def interrupt_main_thread():
    """Snakemake cancels the jobs of a cluster when it is interrupted."""
    if cluster_plays():
        raise KeyboardInterrupt


# --- locks of calls that were killed


class Occupied(MessageAlone, LockException):
    """Another call that lives makes, or reads, some of the same files."""

    def __init__(self, holders):
        told = [
            f"{call}\n  holds {', '.join(files[:3])}"
            + (f" and {len(files) - 3} more files" if len(files) > 3 else "")
            for call, files in holders
        ]
        WorkflowError.__init__(
            self,
            "Directory cannot be locked: another call plays here and needs some of the same files.\n"
            + "\n".join(told)
            + "\nWait for it to end, or ask for other chains. If it is no more, and ran on another "
            "machine: snakemake --unlock.",
        )


@contextmanager
def lock(plain, persistence):
    """Takes away what dead calls have locked; says who holds a lock that is in the way.

    On file systems without locks, Snakemake's own stay until somebody takes them away.
    """
    folder = FolderLocks(persistence.path)
    locked = plain(persistence)
    try:
        with folder.alone():
            folder.unlock_dead()
            before = folder.names()
            try:
                locked.__enter__()
            except LockException:
                files = {*persistence.all_outputfiles(), *persistence.all_inputfiles()}
                if holders := folder.holders(set(map(str, files))):
                    raise Occupied(holders) from None
                raise
            folder.hold(folder.names() - before)
    except OSError:
        locked.__enter__()
    try:
        yield
    finally:
        locked.__exit__(None, None, None)
        with suppress(OSError):
            folder.release()


# --- a job that fails costs nobody what stood before it

# Snakemake removes the outputs of a job before it begins, and of one that fails what it finds; and it
# notes for both that they were made with the parameters of now. Here a file gets its name when it is
# whole (scripts/files.py), so that nothing has to be removed beforehand; what a failed job has not
# touched stays, and stays as stale as it was.

STOOD = {}  # output: what was there when its job began
FAILED = set()  # jobs


def identity(file):
    """What tells a file, or a folder, from another that took its place; None if there is none."""
    try:
        found = os.lstat(file)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


async def keep_existing_output(plain, job):
    STOOD.update((file, identity(file)) for file in job.output)


async def cleanup(plain, job, skip_outputs=()):
    """Removes what a failed job has made, and not what stood there when it began."""
    untouched = {f for f in job.output if STOOD.get(f) and STOOD[f] == identity(f)}
    await plain(job, {*skip_outputs, *untouched})


async def postprocess(plain, job, *args, error=False, **settings):
    if error:
        FAILED.add(job)
    await plain(job, *args, error=error, **settings)


async def finished(plain, persistence, job):
    """Notes with what parameters a file was made, unless its job has failed."""
    if job not in FAILED:
        return await plain(persistence, job)
    FAILED.discard(job)
    for file in job.output:
        persistence._unmark_incomplete(persistence._get_key(file))


# --- a record that stands in for a picture


def standing_in(record, picture):
    """An input that is `record` on the disk, and noted as `picture`."""
    return sourcecache_entry(record, picture) if ON else picture


# --- what is said


def replace_log_handler(make):
    """Puts `make(Snakemake's own log handler)` in its place, and returns it.

    None where somebody wants Snakemake's: in a dry run, in jobs of a cluster, in a workflow that uses
    this one as a module, and with --logger, --quiet, --verbose, --printshellcmds, --debug-dag.
    """
    said = workflow.output_settings
    chosen = said.verbose or said.quiet or said.printshellcmds or said.debug_dag
    if not ON or not MAIN or workflow.exec_mode.name != "DEFAULT":
        return None
    if said.dryrun or chosen or said.log_handler_settings:
        return None
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            logger.removeHandler(handler)
            ours = make(handler)
            logger.addHandler(ours)
            return ours
    return None


def list_rules_with(listed):
    """Has --list print what `listed` prints."""
    if ON and MAIN:
        workflow.list_rules = listed


def is_waiting(rule):
    """Whether this call meant to run a rule, and has not."""
    if not ON or workflow.exec_mode.name != "DEFAULT":
        return False
    name = workflow.modifier.modify_rulename(rule)
    waiting = (job for job in workflow.dag.needrun_jobs() if job.rule.name == name)
    return any(not workflow.dag.finished(job) for job in waiting)


def lighten_report(small_copy, is_shown, first_page):
    """Has Snakemake's reporter take small copies of pictures, and open on a page of ours.

    `small_copy` makes a data URI of a path, or None; `is_shown` says of the wildcards of a figure
    whether it is in the report; `first_page` is shown instead of the rules' graph. What Snakemake
    offers is metadata, which a template in a file must hold (--report-metadata); there is nothing for
    the size of pictures.
    """
    # It is imported before the rules are read if a report was asked for, and only then.
    reporter = sys.modules.get("snakemake.report.html_reporter")
    if reporter is None or not ON or not MAIN:
        return

    def get_result_uri(plain, result, embedded):
        return (small_copy(result.path) if embedded else None) or plain(
            result, embedded
        )

    def render(plain, self):
        self.metadata = self.metadata or first_page
        if self.mode_embedded:
            for figures in self.results.values():
                for shown in figures.values():
                    shown[:] = [one for one in shown if is_shown(one.raw_wildcards)]
        return plain(self)

    data = reporter.data.results
    data.get_result_uri = patched(data.get_result_uri, get_result_uri)
    reporter.Reporter.render = patched(reporter.Reporter.render, render)


# --- all of it put in its place

CHECKS = []  # what is called before jobs are looked for


def before_planning(check):
    """Has `check` called when the settings of the call are there, and no job is."""
    if ON and MAIN:
        CHECKS.append(check)


def prepare_dag(plain, *args, **kwargs):
    """What can only be set when the settings of the call are there, and no job is."""
    if workflow.execution_settings is not None:
        resources = workflow.resource_settings
        choose_quickly(resources.cores if workflow.local_exec else resources.nodes)
        if not workflow.local_exec or workflow.remote_exec:
            group_chains()
            patch_groups()
    for check in CHECKS:
        check()
    return plain(*args, **kwargs)


def patch_groups():
    DAG._update_group_components = patched(DAG._update_group_components, share_out)
    DAG._check_groups = patched(DAG._check_groups, check_groups)
    GroupJob.__eq__ = patched(GroupJob.__eq__, equal_groups)
    GroupJob.merge = patched(GroupJob.merge, merge_groups)


if ON:
    signals.end_soon(stop, interrupt_main_thread)
    JobScheduler.exit_gracefully = lambda scheduler, *_: interrupt_main_thread()
    JobScheduler.remaining_jobs = property(
        patched(JobScheduler.remaining_jobs.fget, remaining_jobs)
    )
    LocalExecutor.run_single_job = patched(LocalExecutor.run_single_job, run_single_job)
    PersistenceBase.lock = patched(PersistenceBase.lock, lock)
    PersistenceBase.finished = patched(PersistenceBase.finished, finished)
    Job.remove_existing_output = patched(
        Job.remove_existing_output, keep_existing_output
    )
    Job.cleanup = patched(Job.cleanup, cleanup)
    Job.postprocess = patched(Job.postprocess, postprocess)
    workflow._prepare_dag = patched(workflow._prepare_dag, prepare_dag)
elif workflow.is_main_process:
    logger.warning(
        f"This workflow was not tried with Snakemake {RELEASE}, but with {', '.join(TESTED)}. "
        "It plays all the same, more slowly, and a job that fails removes what stood in its place."
    )
