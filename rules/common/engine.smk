"""The engine room: everything that reaches into Snakemake's insides, and nothing else does.

Without it the game plays just the same, only more slowly, and a signal ends it later. That is what
happens with a release of Snakemake that is not among TESTED. docs/upstream.md holds what could be
offered to Snakemake instead.
"""

import resource
import sys
from contextlib import contextmanager, suppress
from functools import wraps

from snakemake.common import __version__ as RELEASE
from snakemake.dag import DAG
from snakemake.exceptions import ApiError, LockException, WorkflowError
from snakemake.executors.local import Executor as LocalExecutor
from snakemake.jobs import GroupJob
from snakemake.logging import logger
from snakemake.persistence import PersistenceBase
from snakemake.scheduling.job_scheduler import JobScheduler

from scripts import signals
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

    if is_tested(RELEASE):
        __traceback__ = property(lambda self: None, lambda self, value: None)


class Mistake(MessageAlone, ApiError):
    """A person's mistake that is found in a `run:` block."""


# --- one process plays many stages


OWN_PROCESS = workflow.__dict__.setdefault("rules_with_processes", set())


def in_own_process(*rules):
    """Has the jobs of these rules run in processes of their own, as Snakemake does by itself."""
    if is_tested(RELEASE):
        OWN_PROCESS.update(map(workflow.modifier.modify_rulename, rules))


def run_single_job(plain, executor, job):
    """Has `run:` blocks run on threads of this process, so that networks are loaded once.

    Snakemake spawns a new process for each of them otherwise, which imports and loads everything
    again. It is what --force-use-threads does; this holds inside cluster jobs, too.
    """
    always = executor.workflow.execution_settings.use_threads
    executor.use_threads = always or job.rule.name not in OWN_PROCESS
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


# --- all of it put in its place


def prepare_dag(plain, *args, **kwargs):
    """What can only be set when the settings of the call are there, and no job is."""
    if workflow.execution_settings is not None:
        resources = workflow.resource_settings
        choose_quickly(resources.cores if workflow.local_exec else resources.nodes)
        if not workflow.local_exec or workflow.remote_exec:
            group_chains()
            patch_groups()
    return plain(*args, **kwargs)


def patch_groups():
    DAG._update_group_components = patched(DAG._update_group_components, share_out)
    DAG._check_groups = patched(DAG._check_groups, check_groups)
    GroupJob.__eq__ = patched(GroupJob.__eq__, equal_groups)
    GroupJob.merge = patched(GroupJob.merge, merge_groups)


if is_tested(RELEASE):
    signals.end_soon(stop, interrupt_main_thread)
    JobScheduler.exit_gracefully = lambda scheduler, *_: interrupt_main_thread()
    JobScheduler.remaining_jobs = property(
        patched(JobScheduler.remaining_jobs.fget, remaining_jobs)
    )
    LocalExecutor.run_single_job = patched(LocalExecutor.run_single_job, run_single_job)
    PersistenceBase.lock = patched(PersistenceBase.lock, lock)
    workflow._prepare_dag = patched(workflow._prepare_dag, prepare_dag)
elif workflow.is_main_process:
    logger.warning(
        f"This workflow was not tried with Snakemake {RELEASE}, but with {', '.join(TESTED)}. "
        "It plays all the same, more slowly."
    )
