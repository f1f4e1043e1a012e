"""What a program does when it is asked to end."""

import signal
import sys
import threading

TERMINATED = 143
_asked = threading.Event()


def clean_up_when_terminated():
    """Take SIGTERM as an end that removes what was half written.

    `kill`, `timeout`, container engines and batch systems send it. Without this Python
    ends at once, and temporary files stay. The exit code is 143. It takes until
    TensorFlow has done what it is at, seconds for large volumes.
    """
    signal.signal(signal.SIGTERM, _end)


def asked_to_end():
    """Whether SIGTERM came: libraries raise errors of their own in its place."""
    return _asked.is_set()


def _end(*_):
    if not _asked.is_set():  # a second one would interrupt the cleaning up
        _asked.set()
        sys.exit(TERMINATED)
