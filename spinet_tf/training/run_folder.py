"""A folder that belongs to one training at a time."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from spinet_tf.errors import InputError

LOCK = ".lock"


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other trainings out of a folder during the block.

    The system ends the claim with the process, however that ends.

    Args:
        folder: the run folder; made if missing.

    Raises:
        InputError: another training has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # On NFS only what is open for writing can be locked.
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some file systems know no locks.
        if error.errno in (errno.EAGAIN, errno.EACCES):
            os.close(descriptor)
            raise InputError(
                f"{folder}: another training runs in it; use another run folder"
            ) from error
    try:
        yield
    finally:
        os.close(descriptor)
