"""The settings of the call, checked; and room for long chains."""

import os
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
def holds_settings(path):
    """Whether a file holds settings, none of them wrong; Snakemake cannot read an empty one."""
    return os.path.lexists(path) and bool(settings.read(path, SCHEMA))


if holds_settings("config.yaml"):

    configfile: "config.yaml"


@asked
def check_config():
    """Fills in what the call's settings leave out, and ends it if anything is wrong with them."""
    for key, value in settings.defaults(SCHEMA).items():
        config.setdefault(key, value)
    config.update(
        settings.read_numbers(settings.fit(config), settings.load_schema(SCHEMA))
    )
    settings.check(config, SCHEMA, "config")


check_config()
