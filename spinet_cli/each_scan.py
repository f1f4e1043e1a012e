"""Many scans, one after another: what fails is told, the others go on."""

import sys

from spinet_cli.main import OUT_OF_MEMORY, one_line
from spinet_cli.termination import asked_to_end
from spinet_tf.errors import InputError

FAILED = 1


def run_each(scans, work, name):
    """Do the same for each scan.

    Args:
        scans: list of anything.
        work: callable of a scan.
        name: callable of a scan, what messages call it.

    Returns:
        Exit code: 0, or 1 if `work` raised an `InputError`, or ran out of memory, for
        any of them.

    Raises:
        InputError, MemoryError: of `work`, once the program is asked to end.
    """
    failures = []
    for number, scan in enumerate(scans, start=1):
        progress = one_line(f"scan {number} of {len(scans)}: {name(scan)}")
        print(progress, file=sys.stderr, flush=True)
        try:
            work(scan)
        except (InputError, MemoryError) as error:
            if asked_to_end():  # libraries raise errors of their own in its place
                raise
            failures.append(failure_line(name(scan), error))
            print(f"spinet-qsm: error: {failures[-1]}", file=sys.stderr)
    return report_failures(failures, len(scans))


def failure_line(name, error):
    """What is told of a scan that failed.

    Args:
        name: str, of the scan.
        error: `InputError` or `MemoryError`.

    Returns:
        str of one line that begins with the name.
    """
    if isinstance(error, MemoryError):
        error = OUT_OF_MEMORY
    name, message = one_line(name), one_line(error)
    if message.startswith(f"{name}: "):
        return message
    return one_line(f"{name}: {message}")


def report_failures(failures, count):
    """List what failed at the end.

    Args:
        failures: list of `failure_line`.
        count: int, how many scans there were.

    Returns:
        Exit code: 1 if there are failures, else 0.
    """
    if not failures:
        return 0
    print(f"{len(failures)} of {count} scans failed:", file=sys.stderr)
    for failure in failures:
        print(f"  {failure}", file=sys.stderr)
    return FAILED
