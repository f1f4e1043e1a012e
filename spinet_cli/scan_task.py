"""One scan to reconstruct: what is read, what is written, and how."""

import argparse
import os
import re
from typing import NamedTuple

from spinet_tf.field_units import FieldUnits
from spinet_tf.thick_slices import ThinGrid


class ScanTask(NamedTuple):
    """A scan and the flags that hold for it.

    Attributes:
        flags: the parsed flags, of which `method`, `pad`, `keep_slices`,
            `reference`, `mask_threshold`, `voxel_size`, `b0_dir` and `field_units` are
            used here.
        field: path of the local field.
        mask: path of the mask.
        output: path of the map; the sidecar has its name.
        picture: path of the picture.
        units: of the field.
        report: path of the report. Defaults to None: none.
        iterates: folder of the maps of the unrolls. Defaults to None: they are not
            written.
        b0_direction: unit vector in voxel axes that goes before the affine's.
            Defaults to None.
        bids: dict, what BIDS wants in the sidecar. Defaults to None: another sidecar.
        warnings: tuple of str, what was warned of before it is read. Defaults to none.
    """

    flags: argparse.Namespace
    field: str
    mask: str
    output: str
    picture: str
    units: FieldUnits
    report: str | None = None
    iterates: str | None = None
    b0_direction: tuple[float, float, float] | None = None
    bids: dict | None = None
    warnings: tuple[str, ...] = ()

    @property
    def ppm_is_stated(self):
        """Whether the field is in ppm and --field-units says so itself."""
        return self.units.units == self.flags.field_units == "ppm"

    @property
    def sidecar(self):
        """Path of the sidecar."""
        return f"{without_suffix(self.output)}.json"

    @property
    def padding(self):
        """Padding [mm] and whether sizes are made fast, as `PaddedGrid` takes them."""
        many_transforms = self.flags.method == "spinet"
        return self.flags.pad, many_transforms

    @property
    def thins_slices(self):
        """Whether thick slices are interpolated."""
        return self.flags.method == "spinet" and not self.flags.keep_slices

    def voxel_parts(self, voxel_size):
        """Into how many parts edges [mm] are cut, a list; None where none is."""
        parts = ThinGrid(voxel_size).parts
        return list(parts) if self.thins_slices and max(parts) > 1 else None

    def inputs(self):
        """The files that are read, and the sidecars beside them, which must stay."""
        read = [self.field, self.mask, self.flags.reference]
        stems = {path: without_suffix(path) for path in read if path}
        return read + [f"{stem}.json" for path, stem in stems.items() if stem != path]

    def outputs(self, unrolls):
        """The files to write: map, sidecar, picture, maps of the unrolls, report.

        Args:
            unrolls: int.

        Returns:
            list of paths.
        """
        paths = [self.output, self.sidecar, self.picture]
        if self.iterates:
            paths += [
                os.path.join(self.iterates, f"unroll-{k}.nii.gz")
                for k in range(1, unrolls + 1)
            ]
        return paths + ([self.report] if self.report else [])


def given_units(flags):
    """`FieldUnits` of the parsed flags, which are ppm if none are given."""
    return FieldUnits(flags.field_units or "ppm", flags.b0, flags.te)


def without_suffix(path):
    """The path of a NIfTI file without .nii or .nii.gz."""
    return re.sub(r"\.nii(\.gz)?$", "", path, flags=re.IGNORECASE)
