"""Finds the files of a BIDS dataset, by ancpbids."""

import os
import re
from pathlib import Path

from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import read_json_object
from spinet_tf.nifti import NIFTI_SUFFIXES

DESCRIPTION = "dataset_description.json"
LISTED = 3


def find_files(folder: Path) -> tuple[list[Path], set[tuple[str, str]]]:
    """Find what is in a dataset.

    A folder that links lead to again is read once.

    Args:
        folder: the dataset, absolute.

    Returns:
        Every file, and the labels of subject and session, the latter "" for a subject
        itself, that have a folder.

    Raises:
        InputError: if there is no such folder, or its description cannot be read, or
            ancpbids is not installed.
    """
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: no such folder")
    try:
        import ancpbids
        from ancpbids.model_base import File, Folder
    except ModuleNotFoundError as error:
        raise InputError(
            "reading BIDS datasets needs ancpbids: pip install 'spinet-tf[bids]'"
        ) from error
    for path in (folder / DESCRIPTION, *folder.glob(f"derivatives/*/{DESCRIPTION}")):
        if os.path.isfile(path) or os.path.islink(path):
            read_json_object(path)
    # A pickle in a dataset would be run, and `_NamesOnly` would have one anywhere.
    options = ancpbids.DatasetOptions(ignore_pickle_file=True)
    try:
        dataset = ancpbids.load_dataset(str(folder), options, vfs=_NamesOnly())
        files = dataset.select(File).objects()
        paths = [Path(file.get_absolute_path()) for file in files]
        folders = [
            Path(f.get_relative_path()) for f in dataset.select(Folder).objects()
        ]
    except RecursionError as error:
        raise InputError(f"{folder}: has too many folders in one another") from error
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be read as a BIDS dataset: {error}"
        ) from error
    sessions = set(map(_session, folders)) - {None}
    return paths, sessions


def not_taken(kind: str, subject: str, paths: list[Path]) -> str:
    """Tell of a subject's images that may have been meant, for a message.

    Args:
        kind: what is missing, such as "mask".
        subject: label of the subject.
        paths: files of the dataset.

    Returns:
        Up to three names of those that have `kind` in theirs, or nothing.
    """
    names = sorted(
        path.name
        for path in paths
        if kind.lower() in path.name.lower()
        and path.name.endswith(NIFTI_SUFFIXES)
        and _nearest_subject(path) == f"sub-{subject}"
    )
    return f"; not taken: {', '.join(names[:LISTED])}" if names else ""


def _nearest_subject(path: Path) -> str | None:
    """What begins with sub- in a file's name or, nearest to it, in its folders'."""
    parts = path.name.split("_")[0], *reversed(path.parent.parts)
    return next((part for part in parts if part.startswith("sub-")), None)


def _session(folder: Path) -> tuple[str, str] | None:
    """The labels of the subject or session whose folder it is."""
    subject = _subject(folder)
    if subject is not None:
        return subject, ""
    subject = _subject(folder.parent)
    match = re.fullmatch("ses-([0-9A-Za-z]+)", folder.name)
    return (subject, match[1]) if match and subject is not None else None


def _subject(folder: Path) -> str | None:
    """The label of the subject whose folder it is, in the dataset or a derivative.

    One that is misspelt is told of, but for what programs call their folders in a
    derivative, as FreeSurfer does with sub-01_ses-1.
    """
    *above, name = folder.parts or ("",)
    if not above:
        label = ".*"
    elif "derivatives" in above[-2:]:
        label = "[0-9A-Za-z]+"
    else:
        return None
    match = re.fullmatch(f"sub-({label})", name, re.DOTALL)
    return match and match[1]


class _NamesOnly:
    """The file system as ancpbids may see it: each folder once, and all files empty."""

    def __init__(self):
        self._seen = set()

    def is_dir(self, path):
        return os.path.isdir(path)

    def exists(self, path):
        return True

    def listdir(self, path):
        place = os.path.realpath(path)
        if place in self._seen:
            return []
        self._seen.add(place)
        return os.listdir(path)

    def read_text(self, path, encoding="utf-8"):
        return "{}"  # of a description, of which nothing is needed
