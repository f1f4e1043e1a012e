"""The exceptions whose messages are meant for the person at the keyboard."""


class InputError(ValueError):
    """Bad input, told in one line.

    The message names the file or argument, what was expected and what came.
    The command line prints it without a traceback and exits with code 2.
    """


class ListedErrors(InputError):
    """Several things that are wrong, told in a line each.

    Args:
        summary: str, what they have in common.
        problems: list of str.
    """

    def __init__(self, summary, problems):
        super().__init__("\n  ".join([summary, *problems]))
        self.summary = summary
        self.problems = problems


class OutOfMemory(InputError):
    """More memory is needed than is left."""
