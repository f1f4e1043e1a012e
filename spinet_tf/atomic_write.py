"""Output files that are either complete or not there at all."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from spinet_tf.errors import InputError


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Temporary path that becomes `path` when the block succeeds.

    The temporary file lies in the folder of `path`, so that the final rename
    stays on one file system, and has the same suffix (".nii.gz"), from which
    writers choose the format. It is removed when the block raises.

    Args:
        path: file to write; an existing file is replaced.

    Yields:
        Path for the block to write to.

    Raises:
        InputError: if `path` cannot be written (see `check_writable`).
    """
    path = Path(path)
    check_writable(path)
    temporary = _temporary_beside(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_writable(path: str | os.PathLike) -> None:
    """Check that a file could be written, before hours of work.

    It really creates and removes a file beside `path`: permission bits alone do
    not tell (read-only file systems, quotas, the root user).

    Args:
        path: file that is to be written.

    Raises:
        InputError: if the folder does not exist or cannot be written to, or
            `path` is a folder or a device.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise InputError(f"{path}: cannot be written, it is a folder")
    if not os.path.isdir(path.parent):
        raise InputError(f"{path}: cannot be written, no folder {path.parent}")
    if os.path.lexists(path) and not (path.is_symlink() or os.path.isfile(path)):
        raise InputError(f"{path}: cannot be written, it is not a regular file")
    probe = _temporary_beside(path)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # The probe does not tell whether the name is too long.
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise InputError(f"{path}: cannot be written, {error.strerror}") from error


def _temporary_beside(path: Path) -> Path:
    suffix = "".join(path.suffixes[-2:])
    return path.with_name(f".{uuid.uuid4().hex}{suffix}")
