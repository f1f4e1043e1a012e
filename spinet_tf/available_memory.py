"""Refusing data that cannot be held, before allocating it."""

import psutil

from spinet_tf.errors import InputError


def available_memory(limit: int | None = None) -> int:
    """Memory that is left.

    Args:
        limit: bytes that this process may take, with what it has already. Defaults to
            None: all that the machine has.

    Returns:
        Bytes, an int.
    """
    available = psutil.virtual_memory().available
    if limit is None:
        return available
    return min(available, max(limit - psutil.Process().memory_info().rss, 0))


def check_fits_in_memory(n_bytes: int, task: str, limit: int | None = None) -> None:
    """Check that `n_bytes` of memory are left.

    Args:
        n_bytes: memory needed, in bytes.
        task: what needs it, for the message, such as "chi.nii: reading it".
        limit: see `available_memory`. Defaults to None.

    Raises:
        InputError: if less is available; says how much is needed.
    """
    available = available_memory(limit)
    if n_bytes > available:
        of_limit = "" if limit is None else f" of the limit of {limit / 1e9:.3g} GB"
        raise InputError(
            f"{task} needs {n_bytes / 1e9:.3g} GB of memory,"
            f" {available / 1e9:.3g} GB are available{of_limit}"
        )
