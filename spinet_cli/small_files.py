"""Reading small files."""

from pathlib import Path

from spinet_tf.errors import InputError


def read_bytes(path):
    """The content of a small file.

    Args:
        path: file.

    Returns:
        bytes.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}") from error
