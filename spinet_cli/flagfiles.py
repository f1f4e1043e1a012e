"""Checks of `--flagfile`, before absl reads it."""

import os
import re

from absl import flags

LARGEST = 2**20


def check_flagfiles(words, within=()):
    """Check that the flagfiles of a command line can be read, and those in them.

    Args:
        words: list of str, of the command line or of a flagfile.
        within: real paths of the flagfiles that these words are in. Defaults to none.

    Raises:
        flags.Error: one is missing, no text file, larger than 1 MiB or within itself,
            or a word has a NUL, which no file name and no number has.
    """
    for i, word in enumerate(words):
        if "\0" in word:
            raise flags.Error(f"expected words without NUL, got {word!r}")
        match = re.fullmatch(r"--?flagfile(=.*)?", word, re.DOTALL)
        if not match:
            continue
        path = match[1][1:] if match[1] else (words[i + 1] if words[i + 1 :] else "")
        if path:
            path = os.path.expanduser(path.strip())
            _check_flagfile(path, within)


def _check_flagfile(path, within):
    real = os.path.realpath(path)
    if real in within:
        raise flags.Error(f"--flagfile: {path} is within itself")
    if not os.path.isfile(path):
        found = "not a file" if os.path.lexists(path) else "no such file"
        raise flags.Error(f"--flagfile: Unable to open flagfile {path}, {found}")
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise flags.Error(
            f"--flagfile: Unable to open flagfile {path}, {error.strerror}"
        ) from error
    if len(content) > LARGEST:
        raise flags.Error(f"--flagfile: expected at most {LARGEST} bytes in {path}")
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise flags.Error(
            f"--flagfile: expected a text file, {path} is none"
        ) from error
    lines = [line.strip() for line in lines]
    check_flagfiles(
        [line for line in lines if not line.startswith(("#", "//"))], (*within, real)
    )
