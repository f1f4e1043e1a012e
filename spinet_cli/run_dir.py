"""The run folder of a training, before there is one."""

import contextlib
import os
from pathlib import Path

from spinet_tf.atomic_write import check_writable
from spinet_tf.errors import InputError


def check_run_dir(run_dir):
    """Check that a training could write into its folder, before hours of work.

    It really makes the folder and a file, and removes them if they were not there.

    Args:
        run_dir: path of the folder.

    Raises:
        InputError: it cannot be made, or not be written to.
    """
    folder = Path(run_dir)
    was_there = os.path.exists(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_writable(folder / "flags.txt")
    except OSError as error:
        raise InputError(
            f"run_dir: {folder} cannot be made, {error.strerror}"
        ) from error
    except InputError as error:
        raise InputError(f"run_dir: {error}") from error
    finally:
        if not was_there:  # parents may be in others' use by now
            with contextlib.suppress(OSError):
                folder.rmdir()
