"""Waiting for what another thread or process does."""

import time


def wait_until(true, seconds=20):
    """Ask again and again, and fail when the answer is still no after that time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)
