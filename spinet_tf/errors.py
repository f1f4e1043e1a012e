"""The one exception whose message is meant for the person at the keyboard."""

import re


class InputError(ValueError):
    """Bad input, told in one line.

    The message names the file or argument, what was expected and what came.
    The command line prints it without a traceback and exits with code 2.
    """


class OutOfMemory(InputError):
    """More memory is needed than is left."""


def why_not_written(error):
    """What an `OSError`, or TensorFlow's error in its place, gives as the reason."""
    reason = getattr(error, "strerror", None) or str(error)
    return re.sub(r".*; | \[Op:\w+\]$", "", reason, flags=re.DOTALL)
