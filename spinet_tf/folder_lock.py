"""A folder that belongs to one process at a time."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

LOCK = ".lock"


@contextlib.contextmanager
def locked(folder: Path, when_taken: Callable[[], None]) -> Iterator[None]:
    """Keep others that ask for the same out of a folder during the block.

    The system ends the lock with the process, however that ends.

    Args:
        folder: the folder; made if missing.
        when_taken: called if another process has it. It may raise; else this waits for
            the other one.

    Raises:
        OSError: no file can be made in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # On NFS only what is open for writing can be locked.
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some file systems know no locks.
            if error.errno in (errno.EAGAIN, errno.EACCES):
                when_taken()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
