"""What the values of a list flag have to be."""

from absl import flags


def expect_numbers(name, least, kind=int):
    """Refuse values of a flag that are no numbers, or too small.

    Args:
        name: str, of the flag.
        least: the smallest number that is one.
        kind: int or float. Defaults to int.
    """

    def good(values):
        try:
            return all(least <= kind(value) < float("inf") for value in values)
        except ValueError:
            return False

    kinds = {int: "integers", float: "numbers"}
    message = f"expected {kinds[kind]} of at least {least:g}, with commas between them"
    flags.register_validator(name, good, message)


def expect_words(name, words):
    """Refuse values of a flag that are none of these words.

    Args:
        name: str, of the flag.
        words: the str that are.
    """
    message = f"expected some of {', '.join(words)}, with commas between them"
    flags.register_validator(name, lambda values: set(values) <= set(words), message)
