"""One process plays many stages, on this machine and in a cluster's jobs."""

import sys
from functools import lru_cache

from snakemake.dag import DAG
from snakemake.jobs import GroupJob
from snakemake.scheduling.job_scheduler import JobScheduler

# The stages of a chain are one group of jobs on a cluster. (Elsewhere there are no groups: a dry run
# would spend minutes on them.)
GROUP = "chain"
GROUPED = {"caption": GROUP, "generate": GROUP}
# Stages of one cluster job at the most: all are named in one argument of a command line, which
# Linux limits to 128 KiB; and loading the networks once in a thousand stages is seldom enough.
MOST_STAGES = 1000

stages_here, chains_here = set(), set()


def stay_in_this_process():
    """Has `run:` blocks run on threads of this process, so that networks are loaded once.

    Snakemake spawns a new process for each of them otherwise, which imports and loads everything
    again. This is what --force-use-threads sets; set here, it holds inside cluster jobs, too. To be
    called while jobs are put together, since there are no such settings when rules are read.
    """
    if workflow.execution_settings is not None:
        workflow.execution_settings.use_threads = True
        if workflow.local_exec:
            choose_quickly(workflow.resource_settings.cores)
        if workflow.remote_exec:
            # A job step of SLURM plays the chains of its job one after the other, each in a process
            # of its own, unless they are one group here, too.
            workflow.group_settings.overwrite_groups = GROUPED
            workflow.group_settings.group_components = {GROUP: sys.maxsize}


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


# Before it chooses, Snakemake lists all that remains, for schedulers that look ahead; the greedy one
# does not. When nothing is ready, it asks whether something remains, and is told.
remaining_jobs = JobScheduler.remaining_jobs.fget
JobScheduler.remaining_jobs = property(
    lambda scheduler: [] if scheduler.open_jobs else remaining_jobs(scheduler)
)


def share_out(stage):
    """Puts as many chains into one cluster job as it takes to give each job its share.

    Each job loads the networks once, whatever it plays. `--group-components chain=…` is obeyed.
    """
    jobs = workflow.resource_settings and workflow.resource_settings.nodes
    if not jobs or workflow.remote_exec:
        return
    choose_quickly(jobs)
    workflow.group_settings.overwrite_groups = {
        **GROUPED,
        **workflow.group_settings.overwrite_groups,
    }
    if GROUP in said_components():
        return
    stages_here.add((stage.chain, stage.round))
    chains_here.add(stage.chain)
    fitting = MOST_STAGES * len(chains_here) // (2 * len(stages_here))
    workflow.group_settings.group_components = {
        **workflow.group_settings.group_components,
        GROUP: max(1, min(-(-len(chains_here) // jobs), fitting)),
    }


@lru_cache
def said_components():
    """The groups whose sizes the call or its profile sets."""
    return frozenset(workflow.group_settings.group_components)


# Snakemake's groups are made for a few jobs; what it does with them grows with the cube of their
# number, and faster: minutes for one chain of 300 rounds, days for a hundred chains of 100. The
# three remedies below leave its answers as they are.


# It looks for paths that leave a group and come back, anew from each job of the group of each job.
# DAG.validate_group has looked before; joined chains depend on nothing of each other.
DAG._check_groups = lambda dag: None

# It compares groups job by job to see that a group is itself,
equal_groups = GroupJob.__eq__
GroupJob.__eq__ = lambda group, other: group is other or equal_groups(group, other)

# and merges them job by job with what they hold already.
merge_groups = GroupJob.merge
GroupJob.merge = lambda group, other: (
    None if other.jobs <= group.jobs else merge_groups(group, other)
)
