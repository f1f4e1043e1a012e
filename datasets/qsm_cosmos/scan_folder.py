"""The folder a user names: the scans in it, and all that is wrong with them."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from spinet_tf.errors import InputError, ListedErrors

from .mat_layout import MatFolder, MatScan, mat_files, warn_of_assumed_geometry
from .nifti_layout import NiftiFolder, NiftiScan
from .scan import Scan, check_agreement


def open_folder(
    folder: Path,
    voxel_size: tuple[float, float, float],
    b0_direction: tuple[float, float, float],
) -> NiftiFolder | MatFolder:
    """Tells the layout of a folder.

    Args:
        folder: holds `sub-<label>` folders of NIfTI files, or .mat files.
        voxel_size: mm, of .mat files that do not tell.
        b0_direction: in voxel axes, of .mat files that do not tell.

    Returns:
        The folder, with `subjects()` and `scans(subject)`.

    Raises:
        InputError: if it holds neither or both.
    """
    layouts = [
        layout
        for layout, found in (
            (NiftiFolder(folder), any(p.is_dir() for p in folder.glob("sub-*"))),
            (MatFolder(folder, voxel_size, b0_direction), bool(mat_files(folder))),
        )
        if found
    ]
    if len(layouts) != 1:
        raise InputError(
            f"{folder}: expected either folders sub-<label> or files sub-<label>*.mat,"
            f" found {'both' if layouts else 'neither'}"
        )
    return layouts[0]


def checked_scans(
    opened: NiftiFolder | MatFolder,
    splits: Mapping[str, Sequence[str]],
    check: Callable[[Scan], object],
) -> dict[str, list[NiftiScan | MatScan]]:
    """Finds and reads every scan once, to learn of every problem at once.

    Args:
        opened: the folder.
        splits: subjects of each split.
        check: raises InputError if a scan, once read, is of no use.

    Returns:
        The scans of each split.

    Raises:
        ListedErrors: if there are problems; a line for each.
    """
    problems, b0_is_assumed = [], []
    found = {}
    for split, subjects in splits.items():
        found[split] = []
        for subject in subjects:
            try:
                found[split] += opened.scans(subject)
            except InputError as error:
                problems.append(str(error))
        for scan in found[split]:
            try:
                b0_is_assumed.append(_checked(scan, check).b0_is_assumed)
            except InputError as error:
                problems.append(str(error))
    if problems:
        # A map that several fields share is told of once.
        lines = dict.fromkeys(_within(opened.folder, each) for each in problems)
        raise ListedErrors(
            f"{opened.folder}: these scans cannot be used, nothing was built:",
            list(lines),
        )
    if isinstance(opened, MatFolder):
        warn_of_assumed_geometry([scan for scans in found.values() for scan in scans])
    elif any(b0_is_assumed):
        warnings.warn(
            f"{opened.folder}: {sum(b0_is_assumed)} of {len(b0_is_assumed)} local"
            " fields have neither B0Direction nor an orientation in the scanner, B0 is"
            " assumed along the z axis of their affine",
            stacklevel=2,
        )
    return found


def _within(folder: Path, problem: str) -> str:
    """The problem with paths as they are in the folder."""
    for start in (folder.absolute(), folder):
        problem = re.sub(rf"(?<!\S){re.escape(str(start))}/", "", problem)
    return problem


def _checked(scan: NiftiScan | MatScan, check: Callable[[Scan], object]) -> Scan:
    content = scan.read()
    try:
        check(content)
        check_agreement(content)
    except InputError as error:
        raise InputError(f"{scan.name}: {error}") from error
    return content
