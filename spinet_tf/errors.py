"""The one exception whose message is meant for the person at the keyboard."""


class InputError(ValueError):
    """Bad input, told in one line.

    The message names the file or argument, what was expected and what came.
    The command line prints it without a traceback and exits with code 2.
    """


class OutOfMemory(InputError):
    """More memory is needed than is left."""
