"""Runs a script with absl flags; what is wrong is told in one line."""

import math
import os
import re
import sys
from pathlib import Path

from absl import app, flags, logging

from spinet_cli.flagfiles import expand_flagfiles
from spinet_cli.huge_pages import restart_with_huge_pages
from spinet_cli.main import (
    BAD_INPUT,
    BROKEN_PIPE,
    INTERRUPTED,
    OUT_OF_MEMORY,
    give_up_output,
    one_line,
    replace_what_cannot_be_shown,
    why_output_fails,
)
from spinet_cli.termination import (
    TERMINATED,
    asked_to_end,
    clean_up_when_terminated,
)

FAILED = 1
DAMAGE = "corrupted|truncated|No such file|Permission denied"
COLLECTIVE = "Collective ops is aborted by: (.*)"
# What this module adopts is the script's: `--help` lists the flags of the script.
flags.disclaim_key_flags()


def run_script(define_flags, run):
    """Parse the command line and run.

    A wrong flag, an argument that is no flag, or an `InputError` ends the script with
    one line and exit code 2 (a line more for each of `ListedErrors`), and so does a
    file that cannot be read or written, and what does not fit in memory. A training
    whose loss becomes NaN ends with 1, and so does each process of one that has lost
    another; what is interrupted ends with 130, terminated 143, and when nobody reads
    the output any more it is 141.

    Args:
        define_flags: callable without arguments that defines the script's flags.
        run: callable of `absl.flags.FlagValues`.
    """
    restart_with_huge_pages()
    clean_up_when_terminated()
    replace_what_cannot_be_shown()
    define_flags()
    flags.adopt_module_key_flags(sys.modules[define_flags.__module__])
    try:
        app.run(lambda _: _run(run), flags_parser=_parse)
    except BrokenPipeError:
        give_up_output()
        sys.exit(BROKEN_PIPE)


def _parse(argv):
    try:
        rest = flags.FLAGS(expand_flagfiles(argv))
    except flags.Error as error:
        _stop(str(error).removeprefix("ERROR:: "), BAD_INPUT)
    for name, value in flags.FLAGS.flag_values_dict().items():
        if isinstance(value, float) and not math.isfinite(value):
            _stop(f"flag --{name}: expected a finite number, got {value}", BAD_INPUT)
    if len(rest) > 1:
        _stop(f"unexpected argument {rest[1]!r}; flags start with --", BAD_INPUT)
    return rest


def _run(run):
    # absl shows what libraries log as information, and there is much of it.
    logging.set_verbosity(logging.ERROR)
    try:
        _run_and_tell(run)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    reason = why_output_fails()
    if reason is not None:
        _stop_without_output(reason)


def _run_and_tell(run):
    from spinet_tf.errors import InputError, ListedErrors  # imports TensorFlow

    try:
        _run_until_asked_to_end(run)
    except ListedErrors as error:
        _stop(error.summary, BAD_INPUT, error.problems)
    except InputError as error:
        _stop(error, BAD_INPUT)
    except BrokenPipeError:  # is an OSError, too
        raise
    except OSError as error:
        # Of a file there is a name. What failed without a buffer is gone from it.
        reason = why_output_fails("" if error.filename else "\n")
        if reason is None:
            _stop(error, BAD_INPUT)
        _stop_without_output(reason)
    except MemoryError:
        _stop(OUT_OF_MEMORY, BAD_INPUT)
    except FloatingPointError as error:
        _stop(error, FAILED)
    except Exception as error:
        import tensorflow as tf

        if isinstance(error, tf.errors.ResourceExhaustedError):
            _stop(OUT_OF_MEMORY, BAD_INPUT)
        reason = _why_processes_parted(error)
        if reason is not None:
            _stop(
                "another process of this training ended, cannot be reached or has other"
                f" flags ({reason}); start all of them again with the same flags",
                FAILED,
            )
        damage = _damage(error)
        if damage is None:
            raise
        _stop(f"a data set is damaged, incomplete or not readable: {damage}", BAD_INPUT)


def _run_until_asked_to_end(run):
    try:
        run(flags.FLAGS)
    except Exception:
        if asked_to_end():  # libraries raise errors of their own in its place
            sys.exit(TERMINATED)
        raise


def _why_processes_parted(error):
    """What TensorFlow says of a process that others wait for; None of all else."""
    import tensorflow as tf

    # Without it there is no other process.
    if "TF_CONFIG" not in os.environ or not isinstance(error, tf.errors.OpError):
        return None
    collective = re.search(COLLECTIVE, error.message)
    lost = tf.errors.UnavailableError | tf.errors.AbortedError
    if not collective and not isinstance(error, lost | tf.errors.DeadlineExceededError):
        return None
    reason = collective[1] if collective else error.message.split("\n")[0]
    return reason.split(". ")[0].rstrip(".:")


def _damage(error):
    """What TensorFlow says of a file that cannot be read; None of all else."""
    import tensorflow as tf

    lost = tf.errors.DataLossError | tf.errors.NotFoundError
    if not isinstance(error, lost | tf.errors.PermissionDeniedError):
        return None
    lines = error.message.split("\n")
    return next((line for line in lines if re.search(DAMAGE, line)), None)


def _stop_without_output(reason):
    give_up_output()
    _stop(f"standard output: cannot be written, {reason}", BAD_INPUT)


def _stop(message, exit_code, others=()):
    print(f"{Path(sys.argv[0]).name}: error: {one_line(message)}", file=sys.stderr)
    for other in others:
        print(f"  {one_line(other)}", file=sys.stderr)
    sys.exit(exit_code)
