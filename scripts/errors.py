"""The one error that is meant for a person."""


class UserError(Exception):
    """Something that the person who plays can put right.

    Its message is shown as it stands, without a traceback: it names the file (or the setting), says
    what is wrong with it, and what to do.
    """
