"""Scans in NIfTI files with the names of BIDS derivatives."""

import dataclasses
import functools
from pathlib import Path

from spinet_tf.bids import BidsFile, BidsTree
from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import (
    DIRECTION_KEYS,
    parse_sidecar,
    read_metadata,
)
from spinet_tf.nifti import read_mask, read_volume

from .scan import Scan, make_scan


@dataclasses.dataclass(frozen=True)
class NiftiScan:
    """One local field and what belongs to it.

    Attributes:
        tree: where it is.
        field: one of its local fields.
    """

    tree: BidsTree
    field: BidsFile

    @property
    def name(self) -> str:
        """For example "sub-01_ses-1_run-2"."""
        return self.field.scan_name

    def read(self) -> Scan:
        """Reads and checks the files.

        Raises:
            InputError: if one is missing, damaged, or does not fit the others.
        """
        map_path, mask_path = self._map_of(self.field), self.tree.mask_of(self.field)
        content, source = self.tree.metadata(self.field)
        sidecar = parse_sidecar(content, source)
        others = self._others_of(map_path)
        if others and not self._has_own_direction(others):
            raise InputError(
                f"{source}: expected B0Direction in a sidecar of its own: several local"
                f" fields are registered to {map_path.name}, of which their affine or a"
                " sidecar of all tells one direction only"
            )
        field, chi = read_volume(self.field.path), read_volume(map_path)
        mask = read_mask(mask_path)
        placed = field.placed_like(chi).placed_like(mask)
        scan = make_scan(
            susceptibility=chi,
            local_field=field,
            mask=mask,
            voxel_size=placed.voxel_size,
            b0_direction=sidecar.b0_direction or placed.b0_direction,
            units=sidecar.units,
        )
        untold = not (sidecar.b0_direction or placed.knows_scanner_axes)
        return dataclasses.replace(scan, b0_is_assumed=untold)

    def _map_of(self, field: BidsFile) -> Path:
        maps = self.tree.images("Chimap", "cosmos")
        return self.tree.best_for(field, maps, "desc-cosmos_Chimap")

    def _others_of(self, map_path: Path) -> list[BidsFile]:
        """The subject's other fields with the same map."""
        return [
            field
            for field in self.tree.local_fields
            if field.session[0] == self.field.session[0]
            and field != self.field
            and self._map_of(field) == map_path
        ]

    def _has_own_direction(self, others: list[BidsFile]) -> bool:
        """Whether the sidecar that tells the direction is of this field alone."""
        telling = [
            path
            for path in self.tree.sidecars_of(self.field)
            if not read_metadata(path).keys().isdisjoint(DIRECTION_KEYS)
        ]
        return bool(telling) and not any(
            telling[-1] in self.tree.sidecars_of(other) for other in others
        )


@dataclasses.dataclass(frozen=True)
class NiftiFolder:
    """A folder of `sub-<label>/[ses-<label>/]anat/`.

    Attributes:
        folder: what holds the subjects' folders.
    """

    folder: Path

    @functools.cached_property
    def _tree(self) -> BidsTree:
        return BidsTree(self.folder)

    def subjects(self) -> list[str]:
        """Names of the subjects, sorted."""
        return sorted({f"sub-{subject}" for subject, _ in self._tree.sessions})

    def scans(self, subject: str) -> list[NiftiScan]:
        """Finds the local fields of a subject.

        Args:
            subject: one of `subjects()`.

        Returns:
            One scan a field, at least one.

        Raises:
            InputError: if there is none, or none for a susceptibility map, or two have
                one name.
        """
        label = subject.removeprefix("sub-")
        fields = [f for f in self._tree.local_fields if f.entities["sub"] == label]
        unused = [
            chimap.session
            for chimap in self._tree.images("Chimap", "cosmos")
            if chimap.entities["sub"] == label
            and not any(chimap.belongs_to(field) for field in fields)
        ]
        if unused or not fields:
            name = "_ses-".join(filter(None, min(unused, default=(label,))))
            raise InputError(
                f"{subject}: no local field, expected [ses-<label>/]anat/"
                f"sub-{name}_desc-local_fieldmap.nii.gz"
            )
        scans = {}
        for field in fields:
            other = scans.setdefault(field.scan_name, field)
            if other != field:
                raise InputError(
                    f"{field.path}: {other.path.name} has its name, keep one"
                )
        return [NiftiScan(self._tree, field) for field in fields]
