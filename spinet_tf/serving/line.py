"""The line in which requests wait: first come, first served."""

import collections
import contextlib
import threading

POLL_SECONDS = 0.5


class Line:
    """Lets so many work at the same time; the others wait in the order they came.

    Args:
        places: int, how many work at the same time.
    """

    def __init__(self, places):
        self._free = places
        self._waiting = collections.deque()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def turn(self, check):
        """Wait for a place, and hold it.

        Args:
            check: callable without arguments, called now and then while it waits, and
                before it begins; what it raises ends the wait.
        """
        called = threading.Event()
        with self._lock:
            self._waiting.append(called)
            self._call()
        try:
            while not called.wait(POLL_SECONDS):
                check()
            check()
            yield
        finally:
            with self._lock:
                if called.is_set():
                    self._free += 1
                    self._call()
                else:
                    self._waiting.remove(called)

    def _call(self):
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft().set()
