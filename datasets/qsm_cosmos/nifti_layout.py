"""Scans in NIfTI files with the names of BIDS derivatives."""

import dataclasses
from pathlib import Path

from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import read_sidecar
from spinet_tf.nifti import NIFTI_SUFFIXES, read_mask, read_volume

from .scan import Scan, make_scan

LOCAL_FIELD = "desc-local_fieldmap"
SUSCEPTIBILITY = "desc-cosmos_Chimap"
MASK = "desc-brain_mask"


@dataclasses.dataclass(frozen=True)
class NiftiScan:
    """The files of one local field.

    Attributes:
        subject: for example "sub-01".
        name: the field's name up to its `desc`, for example "sub-01_ses-1_run-2".
        session: what all names in the folder begin with, for example "sub-01_ses-1".
        folder: the `anat` folder.
        alone: whether it is the only local field in the folder.
    """

    subject: str
    name: str
    session: str
    folder: Path
    alone: bool

    def read(self) -> Scan:
        """Reads and checks the files.

        Raises:
            InputError: if one is missing, damaged, or does not fit the others.
        """
        field_path = self._find(LOCAL_FIELD)
        map_path, mask_path = self._find(SUSCEPTIBILITY), self._find(MASK)
        missing = [
            f"{self.session}_{kind}.nii.gz"
            for kind, path in ((SUSCEPTIBILITY, map_path), (MASK, mask_path))
            if path is None
        ]
        if missing:
            raise InputError(
                f"{self.folder}: no {' and no '.join(missing)} for {field_path.name}"
            )
        sidecar_path = self.folder / f"{self.name}_{LOCAL_FIELD}.json"
        sidecar = read_sidecar(sidecar_path)
        shared = not self.alone and map_path.name.startswith(
            f"{self.session}_{SUSCEPTIBILITY}."
        )
        if shared and sidecar.b0_direction is None:
            raise InputError(
                f"{sidecar_path}: expected B0Direction: several local fields are"
                f" registered to {map_path.name}, their affine tells one direction only"
            )
        field = read_volume(field_path)
        return make_scan(
            susceptibility=read_volume(map_path),
            local_field=field,
            mask=read_mask(mask_path),
            voxel_size=field.voxel_size,
            b0_direction=sidecar.b0_direction or field.b0_direction,
            units=sidecar.units,
        )

    def _find(self, kind: str) -> Path | None:
        """The file of this very field, else the one all fields of the folder share."""
        for name in dict.fromkeys((self.name, self.session)):
            paths = [self.folder / f"{name}_{kind}{end}" for end in NIFTI_SUFFIXES]
            found = [path for path in paths if path.exists()]
            if len(found) > 1:
                raise InputError(f"{found[0]}: exists as .nii and as .nii.gz, keep one")
            if found:
                return found[0]
        return None


@dataclasses.dataclass(frozen=True)
class NiftiFolder:
    """A folder of `sub-<label>/[ses-<label>/]anat/`.

    Attributes:
        folder: what holds the subjects' folders.
    """

    folder: Path

    def subjects(self) -> list[str]:
        """Names of the subjects, sorted."""
        return sorted(path.name for path in self.folder.glob("sub-*") if path.is_dir())

    def scans(self, subject: str) -> list[NiftiScan]:
        """Finds the local fields of a subject.

        Args:
            subject: one of `subjects()`.

        Returns:
            One scan a field, at least one.

        Raises:
            InputError: if there is none, or none beside a susceptibility map.
        """
        root = self.folder / subject
        scans = []
        for anat in sorted([*root.glob("anat"), *root.glob("ses-*/anat")]):
            session = "_".join(anat.relative_to(self.folder).parts[:-1])
            names = sorted(
                {
                    path.name.removesuffix(f"_{LOCAL_FIELD}{end}")
                    for end in NIFTI_SUFFIXES
                    for path in anat.glob(f"{session}_*{LOCAL_FIELD}{end}")
                }
            )
            if not names and any(anat.glob(f"*_{SUSCEPTIBILITY}.nii*")):
                raise InputError(
                    f"{anat}: no local field, expected {session}_{LOCAL_FIELD}.nii.gz"
                )
            alone = len(names) == 1
            scans += [NiftiScan(subject, name, session, anat, alone) for name in names]
        if not scans:
            raise InputError(
                f"{root}: no local field, expected"
                f" [ses-<label>/]anat/{subject}[_ses-<label>]_{LOCAL_FIELD}.nii.gz"
            )
        return scans
