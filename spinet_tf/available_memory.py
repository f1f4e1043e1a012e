"""Refusing data that cannot be held, before allocating it."""

from typing import NamedTuple

import psutil

from spinet_tf.errors import OutOfMemory


class Memory(NamedTuple):
    """What may be taken of the memory.

    Attributes:
        limit: int, bytes that this process may take, with what it has already.
            Defaults to None: all that the machine has.
        reusable: int, bytes that this process has and can use again, as TensorFlow
            keeps what it once took. Defaults to 0.
    """

    limit: int | None = None
    reusable: int = 0

    def left(self):
        """Bytes, an int."""
        free = psutil.virtual_memory().available
        if self.limit is not None:
            free = min(free, self.limit - memory_taken())
        return max(free + self.reusable, 0)


ALL_MEMORY = Memory()


def memory_taken():
    """Bytes that this process has, an int."""
    return psutil.Process().memory_info().rss


def check_fits_in_memory(n_bytes: int, task: str, memory: Memory = ALL_MEMORY) -> None:
    """Check that `n_bytes` of memory are left.

    Args:
        n_bytes: memory needed, in bytes.
        task: what needs it, for the message, such as "chi.nii: reading it".
        memory: what may be taken. Defaults to all that the machine has.

    Raises:
        OutOfMemory: if less is left; says how much is needed.
    """
    available, limit = memory.left(), memory.limit
    if n_bytes > available:
        of_limit = "" if limit is None else f" of the limit of {limit / 1e9:.3g} GB"
        raise OutOfMemory(
            f"{task} needs {n_bytes / 1e9:.3g} GB of memory,"
            f" {available / 1e9:.3g} GB are available{of_limit}"
        )
