"""Parses the command line and runs a subcommand."""

import importlib
import os
import re
import sys
import warnings

from absl import flags
from absl.flags import argparse_flags

SUBCOMMANDS = {
    "reconstruct": "local field to susceptibility",
    "evaluate": "a susceptibility map against a reference",
    "simulate": "susceptibility to local field",
    "convert": "the authors' PyTorch checkpoint to a .keras model",
}
BAD_INPUT = 2
INTERRUPTED = 130


class _OneLineParser(argparse_flags.ArgumentParser):
    """Reports a wrong command line in one line, without the usage text."""

    def error(self, message):
        self.exit(BAD_INPUT, f"{self.prog}: error: {message}\n")


def _build_parser():
    parser = _OneLineParser(
        prog="spinet-qsm",
        description="Quantitative susceptibility mapping with SpiNet-QSM.",
        epilog="Every subcommand takes --flagfile FILE with one flag a line.",
    )
    subparsers = parser.add_subparsers(dest="subcommand", required=True)
    for name, summary in SUBCOMMANDS.items():
        module = importlib.import_module(f"spinet_cli.{name}")
        subparser = subparsers.add_parser(
            name, help=summary, description=module.__doc__, allow_abbrev=False
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


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


def _show_warning(message, *_args, **_kwargs):
    print(f"spinet-qsm: warning: {message}", file=sys.stderr)


def main(argv=None):
    """Run the command line.

    Args:
        argv: list of str, without the program's name. Defaults to `sys.argv[1:]`.

    Returns:
        Exit code: 0, 2 for bad input, 130 when interrupted.
    """
    warnings.showwarning = _show_warning
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = _build_parser().parse_args(_join_negative_vectors(argv))
    except flags.Error as error:
        print(f"spinet-qsm: error: {error}", file=sys.stderr)
        return BAD_INPUT
    # Only now: what follows imports TensorFlow through the package.
    from spinet_tf.errors import InputError

    try:
        arguments.run(arguments)
    except InputError as error:
        print(f"spinet-qsm: error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
