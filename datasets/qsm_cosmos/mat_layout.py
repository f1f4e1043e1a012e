"""Scans in MATLAB files, one a subject and orientation."""

import dataclasses
import re
from pathlib import Path

from spinet_tf.errors import InputError
from spinet_tf.field_units import FieldUnits
from spinet_tf.matlab import read_numbers
from spinet_tf.nifti import read_mask, read_volume
from spinet_tf.scan_geometry import normalise_b0_direction

from .scan import Scan, make_scan

_NAME = re.compile(r"(sub-[A-Za-z0-9]+)(_[\w-]+)?\.mat", re.ASCII)


@dataclasses.dataclass(frozen=True)
class MatScan:
    """One file with `phs` (local field, ppm), `cos` (COSMOS map, ppm), `msk` (mask).

    Attributes:
        subject: for example "sub-01".
        path: the file.
        voxel_size: mm, where the file has no `voxel_size`.
        b0_direction: in voxel axes, where the file has no `B0_dir`.
    """

    subject: str
    path: Path
    voxel_size: tuple[float, float, float]
    b0_direction: tuple[float, float, float]

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem

    def read(self) -> Scan:
        """Reads and checks the file.

        Raises:
            InputError: if it is damaged, or an array is missing, is not 3-D or does
                not fit the others.
        """
        field = read_volume(f"{self.path}:phs")
        susceptibility = read_volume(f"{self.path}:cos")
        mask = read_mask(f"{self.path}:msk")
        b0_direction = read_vector(self.path, "B0_dir") or self.b0_direction
        return make_scan(
            susceptibility=susceptibility,
            local_field=field,
            mask=mask,
            voxel_size=read_vector(self.path, "voxel_size") or self.voxel_size,
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
            InputError: if a file's name does not begin with a subject.
        """
        names = sorted(path.name for path in self.folder.glob("*.mat"))
        strange = [name for name in names if not _NAME.fullmatch(name)]
        if strange:
            raise InputError(
                f"{self.folder}: expected names such as sub-01_run-1.mat, got"
                f" {', '.join(strange)}"
            )
        return sorted({_NAME.fullmatch(name)[1] for name in names})

    def scans(self, subject: str) -> list[MatScan]:
        """Finds the files of a subject.

        Args:
            subject: one of `subjects()`.

        Returns:
            One scan a file.
        """
        paths = sorted(self.folder.glob(f"{subject}*.mat"))
        return [
            MatScan(subject, path, self.voxel_size, self.b0_direction)
            for path in paths
            if _NAME.fullmatch(path.name)[1] == subject
        ]


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
