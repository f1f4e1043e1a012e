"""Reading small files."""

import os

from spinet_tf.errors import InputError

LARGEST = 2**24


def read_bytes(path):
    """The content of a small file.

    Args:
        path: file.

    Returns:
        bytes.

    Raises:
        InputError: it cannot be read, or has more than 16 MiB.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"{path}: cannot be read, it is not a regular file")
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        is_link = os.path.islink(path)
        reason = "it is a link that leads nowhere" if is_link else error.strerror
        raise InputError(f"{path}: cannot be read, {reason}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}") from error
    if len(content) > LARGEST:
        raise InputError(f"{path}: expected at most {LARGEST} bytes")
    return content
