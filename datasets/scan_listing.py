"""What the files of a folder of scans are, to notice when they change."""

import os
import re
import zlib
from pathlib import Path

SCAN_SUFFIXES = (".nii", ".nii.gz", ".mat", ".json")
_SIDECAR = re.compile(r"(.*_)?(fieldmap|fieldmap-local|localfield)\.json", re.DOTALL)


def list_scans(folder):
    """The files that scans are read from, in a folder and through links in it.

    These are images and JSON files named after a subject, the sidecars of local fields
    of every level, such as localfield.json for all subjects, and the descriptions of
    datasets in the dataset, which inherit no sidecars.

    Args:
        folder: path of the user's scans.

    Returns:
        dict of their paths in the folder to `[size, checksum]`.
    """
    return {
        path.relative_to(folder).as_posix(): [
            path.stat().st_size,
            zlib.crc32(path.read_bytes()),
        ]
        for path in sorted(_files(folder))
        if _counts(path.relative_to(folder)) and path.is_file()
    }


def _counts(path):
    of_a_subject = path.name.startswith("sub-")
    of_a_subject = of_a_subject and path.name.lower().endswith(SCAN_SUFFIXES)
    inner = path.name == "dataset_description.json" and len(path.parts) > 1
    return of_a_subject or inner or _SIDECAR.fullmatch(path.name)


def _files(folder):
    """All files below a folder; one that links lead to again is read once."""
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        folders.sort()
        yield from (Path(parent, name) for name in names)
