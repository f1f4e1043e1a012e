"""What a program does when it is asked to end."""

import signal
import sys

TERMINATED = 143


def clean_up_when_terminated():
    """Take SIGTERM as an end that removes what was half written.

    `kill`, `timeout`, container engines and batch systems send it. Without this Python
    ends at once, and temporary files stay. The exit code is 143.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
