"""Refusing data that cannot be held, before allocating it."""

import psutil

from spinet_tf.errors import InputError


def check_fits_in_memory(n_bytes: int, task: str) -> None:
    """Check that the machine has `n_bytes` of memory left.

    Args:
        n_bytes: memory needed, in bytes.
        task: what needs it, for the message, such as "chi.nii: reading it".

    Raises:
        InputError: if less is available; says how much is needed.
    """
    available = psutil.virtual_memory().available
    if n_bytes > available:
        raise InputError(
            f"{task} needs {n_bytes / 1e9:.3g} GB of memory,"
            f" {available / 1e9:.3g} GB are available"
        )
