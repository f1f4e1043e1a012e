"""Reads `--flagfile`, with absl's rules, and tells what is wrong with one."""

import io
import os
import re

from absl import flags

LARGEST = 2**20


def expand_flagfiles(words, within=()):
    """Put the lines of each `--flagfile` in its place.

    Lines that are empty or begin with # or // are left out, and so is the mark that
    Windows' editors begin a UTF-8 file with.

    Args:
        words: list of str, of the command line or of a flagfile.
        within: real paths of the flagfiles that these words are in. Defaults to none.

    Returns:
        list of str.

    Raises:
        flags.Error: one is missing, no text file, larger than 1 MiB or within itself,
            or a word has a NUL, which no file name and no number has.
    """
    expanded, rest = [], iter(words)
    for word in rest:
        if "\0" in word:
            raise flags.Error(f"expected words without NUL, got {word!r}")
        match = re.fullmatch(r"--?flagfile(=.*)?", word, re.DOTALL)
        if match:
            path = match[1][1:] if match[1] else next(rest, None)
            if path is None:
                raise flags.Error("--flagfile with no argument")
            path = os.path.expanduser(path.strip())
            if path:
                expanded += _lines(path, within)
            continue
        expanded.append(word)
        if word == "--" and not within:  # what follows is no flag of ours
            break
    return [*expanded, *rest]


def _lines(path, within):
    real = os.path.realpath(path)
    if real in within:
        raise flags.Error(f"--flagfile: {path} is within itself")
    lines = [line.strip() for line in io.StringIO(_read(path), newline=None)]
    lines = [line for line in lines if line and not line.startswith(("#", "//"))]
    return expand_flagfiles(lines, (*within, real))


def _read(path):
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
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise flags.Error(
            f"--flagfile: expected a text file, {path} is none"
        ) from error
