"""Output files that are either complete or not there at all."""

import contextlib
import json
import math
import os
import re
import uuid
from collections.abc import Iterable, Iterator
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
        InputError: if `path` cannot be written (see `check_writable`), or the system
            refuses it while the block writes, as when the disk is full.
    """
    path = Path(path)
    check_writable(path)
    temporary = _temporary_beside(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, InputError):  # of another such block, for the temporary
            message = str(error).replace(str(temporary), str(path))
            raise type(error)(message) from error
        if isinstance(error, OSError):
            reason = why_not_written(error)
            raise InputError(f"{path}: cannot be written, {reason}") from error
        raise


@contextlib.contextmanager
def atomic_paths(paths: Iterable[str | os.PathLike]) -> Iterator[list[Path]]:
    """Temporary paths that become `paths` when the block succeeds; none if it fails.

    Args:
        paths: files to write.

    Yields:
        Paths for the block to write to, in the order of `paths`.

    Raises:
        InputError: as `atomic_path`.
    """
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(atomic_path(path)) for path in paths]


@contextlib.contextmanager
def made_folder(path: str | os.PathLike, parents: bool = False) -> Iterator[Path]:
    """Folder that is there for the block, and gone again if it was new and that fails.

    Args:
        path: folder in an existing folder.
        parents: whether folders above it are made too, and removed likewise. Defaults
            to False.

    Yields:
        `path`.

    Raises:
        InputError: if it cannot be made.
    """
    path = Path(path)
    new = [folder for folder in (path, *path.parents) if not os.path.isdir(folder)]
    try:
        try:
            path.mkdir(parents=parents, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path}: cannot be made, {error.strerror}") from error
        yield path
    except BaseException:
        for folder in new:  # from the innermost on
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def write_json(path: str | os.PathLike, content: dict) -> None:
    """Write a JSON file; nan and infinity, which JSON does not have, become null.

    Args:
        path: file to write; written completely or not at all.
        content: dict of dict, list, tuple, str, numbers, bool and None.

    Raises:
        InputError: if `path` cannot be written.
    """
    text = json.dumps(_without_nan(content), indent=2, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(f"{text}\n", "utf-8")


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
        try:
            probe.touch(exist_ok=False)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written, {error.strerror}") from error


def why_not_written(error: BaseException) -> str | None:
    """Why a file cannot be written.

    Args:
        error: an `OSError`, or what TensorFlow and its kin raise in its place.

    Returns:
        The system's reason; None if the error is of another kind.
    """
    if isinstance(error, OSError):
        return error.strerror or str(error)
    # TensorFlow's is "path; reason", with the operation behind it or not.
    told = re.search(r"; ([^;\n]+?)( \[Op:\w+\])?$", str(error))
    return told[1] if told else None


def _temporary_beside(path: Path) -> Path:
    # nibabel would write another file than one whose suffix is .Nii.gz.
    suffix = "".join(path.suffixes[-2:]).lower()
    return path.with_name(f".{uuid.uuid4().hex}{suffix}")


def _without_nan(value):
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
