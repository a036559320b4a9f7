"""Parameters of jobs that make nothing stale when they change.

Snakemake takes no note of a parameter that is derived from a job's inputs or outputs.
"""


def untracked(value):
    """Such a parameter: `value`, or what it says of the wildcards."""

    @exit_on_user_error
    def parameter(wildcards, output):
        return value(wildcards) if callable(value) else value

    return parameter


def optional_input(name):
    """The input of this name where there is one, or else None."""

    def parameter(wildcards, input):
        return next(iter(getattr(input, name)), None)

    return parameter
