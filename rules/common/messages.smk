"""Messages to a person: what a UserError looks like in input functions."""

import inspect
import sys
from functools import wraps


def exit_on_user_error(function):
    """An input function whose UserError or OSError ends the call with its message alone.

    Snakemake wraps every other exception of an input function in a traceback.
    """

    @wraps(function)
    def answer(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except UserError as error:
            sys.exit(f"Error: {error}")
        except OSError as error:
            sys.exit(
                f"Error: {error.filename}: this cannot be read ({error.strerror})."
            )

    # Snakemake asks for it at each call, and finding it out takes longer than most answers.
    answer.__signature__ = inspect.signature(function)
    return answer
