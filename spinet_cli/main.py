"""Parses the command line and runs a subcommand."""

import argparse
import importlib
import io
import os
import re
import sys
import warnings

from absl import flags

from spinet_cli.arguments import build_parser
from spinet_cli.flagfiles import expand_flagfiles
from spinet_cli.huge_pages import restart_with_huge_pages
from spinet_cli.termination import (
    TERMINATED,
    asked_to_end,
    clean_up_when_terminated,
)

BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
LONGEST_LINE = 900
OUT_OF_MEMORY = "the machine has not enough memory for these volumes"


class _OneLineParser(argparse.ArgumentParser):
    """Reports a wrong command line in one line, without the usage text."""

    def error(self, message):
        self.exit(BAD_INPUT, f"{self.prog}: error: {one_line(message)}\n")


def main(argv=None):
    """Run the command line.

    Args:
        argv: list of str, without the program's name. Defaults to `sys.argv[1:]`.

    Returns:
        Exit code: 0, 1 if some of several scans failed, 2 for bad input or an output
        that cannot be written, 130 when interrupted, 141 when nobody reads the output
        any more, 143 when terminated.
    """
    if argv is None:
        restart_with_huge_pages()
        clean_up_when_terminated()
        argv = sys.argv[1:]
    replace_what_cannot_be_shown()
    try:
        with warnings.catch_warnings():
            # Ours are for the user, those of the libraries are not.
            warnings.simplefilter("ignore")
            warnings.filterwarnings("always", category=UserWarning, module="spinet_")
            # A letter that the font of the pictures has not is a box in them.
            warnings.filterwarnings("ignore", r"Glyph \d")
            warnings.showwarning = _show_warning
            exit_code = _run(argv)
        if sys.stdout is not None:  # where it is closed
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        give_up_output()
        return BROKEN_PIPE
    except OSError:
        reason = why_output_fails("\n")  # not kept in a buffer, what failed is gone
        if reason is None:
            raise
        give_up_output()
        return _report_error(f"standard output: cannot be written, {reason}")
    except Exception:
        if asked_to_end():
            return TERMINATED
        raise
    return exit_code


def replace_what_cannot_be_shown():
    """A file name or an arrow that the terminal cannot show is no reason to fail."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def why_output_fails(more=""):
    """What is wrong with standard output, such as a full disk; None if nothing is.

    Args:
        more: str to write to it. Defaults to nothing, which tells only of what is still
            in its buffer.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.write(more)
            sys.stdout.flush()
    except BrokenPipeError:  # nobody is there to be told
        raise
    except OSError as error:
        return error.strerror
    return None


def give_up_output():
    """Drop what could not be written, which Python would try again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv):
    try:
        argv = list(map(_expand_home, _expand_flagfiles(argv)))
        argv = _join_negative_vectors(argv)
        arguments = _parse(argv)
    except SystemExit as stop:  # how argparse ends --help and a wrong command line
        return stop.code
    except flags.Error as error:
        return _report_error(str(error).removeprefix("ERROR:: "))
    # Only now: what follows imports TensorFlow.
    from spinet_tf.errors import InputError

    try:
        module = importlib.import_module(f"spinet_cli.{arguments.subcommand}")
        return module.run(arguments) or 0
    except (InputError, MemoryError) as error:
        if asked_to_end():
            return TERMINATED
        return _report_error(error if isinstance(error, InputError) else OUT_OF_MEMORY)


def _parse(argv):
    parser = build_parser(_OneLineParser)
    arguments, others = parser.parse_known_args(argv)
    for name, value in vars(arguments).items():
        name = name.replace("_", "-")
        if value == []:  # what argparse makes of --flag=--
            parser.error(f"argument --{name}: got '--'")
        # Such as of a variable that is not set; no flag is to be left out silently.
        if value == "" or (isinstance(value, list) and "" in value):
            dashes = "--" if any(word.startswith(f"--{name}") for word in argv) else ""
            parser.error(f"argument {dashes}{name}: got nothing")
    if getattr(arguments, "runner", None):
        arguments.pipeline_options = [word for word in others if word != "--"]
    elif others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    return arguments


def _expand_flagfiles(argv):
    """The words with the lines of each `--flagfile` in its place."""
    expanded = expand_flagfiles(argv)
    for word in expanded:
        if word not in argv and not re.match(r"--[\w-]+(=|$)", word):
            raise flags.Error(f"--flagfile: expected --flag=value a line, got {word!r}")
    return expanded


def _expand_home(word):
    """`--mask=~/mask.nii` with the home folder, which no shell puts in there."""
    match = re.fullmatch(r"(--[\w-]+=)?(~(?:/.*)?)", word, re.DOTALL)
    return (match[1] or "") + os.path.expanduser(match[2]) if match else word


def _join_negative_vectors(argv):
    """`--b0-dir -0.1,0,1` to `--b0-dir=-0.1,0,1`: argparse takes it for a flag."""
    joined = []
    for word in argv:
        is_vector = re.match(r"-[\d.][^,]*,", word)
        if is_vector and joined and re.fullmatch(r"--[\w-]+", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _report_error(error):
    print(f"spinet-qsm: error: {one_line(error)}", file=sys.stderr)
    return BAD_INPUT


def _show_warning(message, *_args, **_kwargs):
    print(f"spinet-qsm: warning: {one_line(message)}", file=sys.stderr)


def one_line(message):
    """The message without line breaks and codes that a terminal obeys, cut if long."""
    text = " ".join(str(message).split())
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]} ..."


if __name__ == "__main__":
    sys.exit(main())
