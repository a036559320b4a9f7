"""A job that fails costs nobody what stood before it.

Snakemake removes the outputs of a job before it begins, and of one that fails what it finds; and it
notes for both that they were made with the parameters of now. Here a file gets its name when it is
whole (scripts/files.py), so that nothing has to be removed beforehand; what a failed job has not
touched stays, and stays as stale as it was.
"""

from snakemake.jobs import Job
from snakemake.persistence import PersistenceBase

stood = {}  # output: what was there when its job began
failed = set()  # jobs


def identity(file):
    """What tells a file, or a folder, from another that took its place; None if there is none."""
    try:
        found = os.lstat(file)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


async def keep_existing_output(job):
    stood.update((file, identity(file)) for file in job.output)


Job.remove_existing_output = keep_existing_output
remove_output = Job.cleanup
end_job = Job.postprocess
note_finished = PersistenceBase.finished


async def cleanup(job, skip_outputs=()):
    untouched = {f for f in job.output if stood.get(f) and stood[f] == identity(f)}
    await remove_output(job, {*skip_outputs, *untouched})


async def postprocess(job, *args, error=False, **settings):
    if error:
        failed.add(job)
    await end_job(job, *args, error=error, **settings)


async def finished(persistence, job):
    if job not in failed:
        return await note_finished(persistence, job)
    failed.discard(job)
    for file in job.output:
        persistence._unmark_incomplete(persistence._get_key(file))


Job.cleanup, Job.postprocess, PersistenceBase.finished = cleanup, postprocess, finished
