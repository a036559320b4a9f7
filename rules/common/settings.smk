"""The settings of the call, checked; and room for long chains."""

import resource

from scripts import settings

# A round depends on the round before, and Snakemake follows dependencies by recursion, as deep as
# the longest chain: Python must allow that, and the system must let this thread's stack grow.
STACK = 2**30  # bytes at the most; a thousand rounds take some 2 MiB
sys.setrecursionlimit(max(sys.getrecursionlimit(), 1_000_000))
soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
if 0 <= soft < STACK:
    resource.setrlimit(
        resource.RLIMIT_STACK, (STACK if hard < 0 else min(STACK, hard), hard)
    )

SCHEMA = f"{workflow.basedir}/rules/schemas/config.schema.yaml"


@asked
def check_config():
    """Fills in what config.yaml leaves out, and ends the call if it holds anything wrong."""
    for key, value in settings.defaults(SCHEMA).items():
        config.setdefault(key, value)
    # What is inside a section comes from the command line as text: captioner='{beam: 5}'.
    for key, value in config.items():
        config[key] = settings.read_numbers(value)
    settings.check(config, SCHEMA, "config")


check_config()
