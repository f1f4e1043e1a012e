"""What the files of a folder of scans are, to notice when they change."""

import os
import re
import zlib
from pathlib import Path

_FIELD = "(fieldmap|fieldmap-local|localfield)"
_IMAGE = rf"sub-.*_({_FIELD}|mask|bgmask|mask_QSM|desc-cosmos_(.*_)?Chimap)"
_READ = re.compile(
    rf"sub-.*\.mat|{_IMAGE}\.nii(\.gz)?|(.*_)?{_FIELD}\.json",
    re.DOTALL | re.IGNORECASE,
)


def list_scans(folder):
    """The files that scans are read from, in a folder and through links in it.

    These are fields, masks, COSMOS maps and MATLAB files named after a subject, the
    sidecars of local fields of every level, such as localfield.json for all subjects,
    and the descriptions of datasets in the dataset, which inherit no sidecars.

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


def only_scans(listed):
    """What counts of an earlier list, which may have had more than is read."""
    return {name: found for name, found in listed.items() if _counts(Path(name))}


def _counts(path):
    inner = path.name == "dataset_description.json" and len(path.parts) > 1
    return inner or _READ.fullmatch(path.name)


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
