"""Scripts with absl flags, such as `train.py`, run in this process."""

import contextlib
import io
import signal
import sys
from unittest import mock

from absl import flags, logging

from spinet_cli.script import run_script
from tests.command_line import Result


@contextlib.contextmanager
def defined(define_flags):
    """Defines a script's flags, and removes them; yields absl's `flags.FLAGS`."""
    before = set(flags.FLAGS)
    define_flags()
    ours = set(flags.FLAGS) - before
    try:
        yield flags.FLAGS
    finally:
        flags.FLAGS.remove_flag_values({name: None for name in ours})
        flags.FLAGS.unparse_flags()


def run_here(name, define_flags, run, *words):
    """What `run_script` does in a program of this name that is given these words."""
    out, err = io.StringIO(), io.StringIO()
    # Both are for the whole of a process.
    left_out = ("restart_with_huge_pages", "clean_up_when_terminated")
    nothing = {function: lambda: None for function in left_out}
    verbosity = logging.get_verbosity()
    with (
        mock.patch.multiple("spinet_cli.script", **nothing),
        mock.patch.object(sys, "argv", [name, *map(str, words)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        contextlib.ExitStack() as stack,
    ):
        stack.callback(logging.set_verbosity, verbosity)
        # `train.py` takes the signal again.
        stack.callback(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        try:
            run_script(lambda: stack.enter_context(defined(define_flags)), run)
        except SystemExit as stop:
            return Result(stop.code or 0, out.getvalue(), err.getvalue())
