"""Scans in MATLAB files, one a subject and orientation."""

import dataclasses
import functools
import itertools
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

from spinet_tf.errors import InputError
from spinet_tf.field_units import FieldUnits
from spinet_tf.matlab import read_numbers
from spinet_tf.nifti import read_mask, read_volume
from spinet_tf.scan_geometry import check_voxel_size, normalise_b0_direction

from .scan import Scan, make_scan

_NAME = re.compile(r"(sub-[A-Za-z0-9]+)(_[\w-]+)?\.(?i:mat)", re.ASCII)


@dataclasses.dataclass(frozen=True)
class MatScan:
    """One file with `phs` (local field, ppm), `cos` (COSMOS map, ppm), `msk` (mask).

    Attributes:
        path: the file.
        voxel_size: mm, where the file has no `voxel_size`.
        b0_direction: in voxel axes, where the file has no `B0_dir`.
    """

    path: Path
    voxel_size: tuple[float, float, float]
    b0_direction: tuple[float, float, float]

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem

    @functools.cached_property
    def told_voxel_size(self) -> tuple[float, float, float] | None:
        """`voxel_size` of the file, None if it has none."""
        return read_vector(self.path, "voxel_size")

    @functools.cached_property
    def told_b0_direction(self) -> tuple[float, float, float] | None:
        """`B0_dir` of the file, None if it has none."""
        return read_vector(self.path, "B0_dir")

    def read(self) -> Scan:
        """Reads and checks the file.

        Raises:
            InputError: if it is damaged, or an array is missing, is not 3-D or does
                not fit the others.
        """
        field = read_volume(f"{self.path}:phs")
        susceptibility = read_volume(f"{self.path}:cos")
        mask = read_mask(f"{self.path}:msk")
        voxel_size = self.told_voxel_size or self.voxel_size
        where = f"{self.path}:" if self.told_voxel_size else ""
        b0_direction = self.told_b0_direction or self.b0_direction
        return make_scan(
            susceptibility=susceptibility,
            local_field=field,
            mask=mask,
            voxel_size=check_voxel_size(voxel_size, f"{where}voxel_size"),
            b0_direction=normalise_b0_direction(b0_direction, f"{self.path}:B0_dir"),
            units=FieldUnits("ppm"),
        )


@dataclasses.dataclass(frozen=True)
class MatFolder:
    """A folder of `sub-<label>[_<orientation>].mat`.

    Attributes:
        folder: what holds the files.
        voxel_size: mm, of files without `voxel_size`.
        b0_direction: in voxel axes, of files without `B0_dir`.
    """

    folder: Path
    voxel_size: tuple[float, float, float]
    b0_direction: tuple[float, float, float]

    def subjects(self) -> list[str]:
        """Names of the subjects, sorted.

        Raises:
            InputError: if a file's name does not begin with a subject, or two files
                have one name.
        """
        names = [path.name for path in mat_files(self.folder)]
        strange = [name for name in names if not _NAME.fullmatch(name)]
        if strange:
            raise InputError(
                f"{self.folder}: expected names such as sub-01_run-1.mat, got"
                f" {', '.join(strange)}"
            )
        for one, other in itertools.pairwise(sorted(names, key=str.lower)):
            if Path(one).stem == Path(other).stem:
                raise InputError(f"{self.folder}: {one} and {other}, keep one")
        return sorted({_NAME.fullmatch(name)[1] for name in names})

    def scans(self, subject: str) -> list[MatScan]:
        """Finds the files of a subject.

        Args:
            subject: one of `subjects()`.

        Returns:
            One scan a file.
        """
        return [
            MatScan(path, self.voxel_size, self.b0_direction)
            for path in mat_files(self.folder)
            if path.name.startswith(subject)
            and _NAME.fullmatch(path.name)[1] == subject
        ]


def mat_files(folder: Path) -> list[Path]:
    """MATLAB files right in a folder, sorted.

    Args:
        folder: what holds them.

    Returns:
        Their paths, whether in small letters or in capitals.
    """
    return sorted(path for path in folder.glob("*") if path.suffix.lower() == ".mat")


def warn_of_assumed_geometry(scans: Sequence[MatScan]) -> None:
    """Warns once where files do not tell their geometry.

    Args:
        scans: of one folder.
    """
    if not scans:
        return
    first = scans[0]
    size = "{:g} x {:g} x {:g} mm".format(*first.voxel_size)
    direction = "{:g}, {:g}, {:g}".format(*first.b0_direction)
    silent = {
        f"voxel_size, {size} is assumed": [s.told_voxel_size for s in scans],
        f"B0_dir, {direction} is assumed": [s.told_b0_direction for s in scans],
    }
    told = [
        f"{values.count(None)} of {len(scans)} files have no {what}"
        for what, values in silent.items()
        if None in values
    ]
    if told:
        warnings.warn(f"{first.path.parent}: {'; '.join(told)}", stacklevel=2)


def read_vector(path: Path, name: str) -> tuple[float, float, float] | None:
    """Three numbers of a MATLAB file of any version.

    Args:
        path: .mat file.
        name: the variable's name.

    Returns:
        The numbers; None if there is no such variable.

    Raises:
        InputError: if the variable is anything else.
    """
    vector = read_numbers(path, name)
    if vector is None:
        return None
    if vector.size != 3:
        raise InputError(
            f"{path}: expected {name} to be three numbers, it has {vector.size}"
        )
    return tuple(vector.ravel().tolist())
