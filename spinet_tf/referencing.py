"""The zero of susceptibility: the mean of a reference region.

A field does not determine the mean of the susceptibility that makes it. Maps can be
compared once each has the mean of the same region subtracted.
"""

import warnings
from typing import NamedTuple

import numpy as np

from spinet_tf.errors import InputError
from spinet_tf.nifti import read_mask
from spinet_tf.volume import Volume, check_same_grids

NONE, MEAN, REGION = "none", "mean", "region"


class Reference(NamedTuple):
    """A region whose mean susceptibility is to be zero.

    Attributes:
        kind: "none", "mean" (of the whole mask) or "region" (of a file).
        name: str, the region's file; None for the other kinds.
        mask: bool `(x, y, z)`, the brain.
        region: bool `(x, y, z)`, the voxels in the mask that are averaged; None for
            the kind "none".
    """

    kind: str
    name: str | None
    mask: np.ndarray
    region: np.ndarray | None

    def value(self, susceptibility):
        """Mean in the region.

        Args:
            susceptibility: float `(x, y, z)` [ppm].

        Returns:
            float [ppm]; 0 for the kind "none".
        """
        if self.region is None:
            return 0.0
        return float(np.mean(susceptibility[self.region], dtype=np.float64))

    def subtract(self, susceptibility):
        """A map with its mean in the region subtracted.

        Args:
            susceptibility: float32 `(x, y, z)` [ppm], zero outside the mask.

        Returns:
            float32 `(x, y, z)` [ppm], zero outside the mask.
        """
        if self.region is None:
            return susceptibility
        value = np.float32(self.value(susceptibility))
        return np.where(self.mask, susceptibility - value, np.float32(0))

    def apply(self, result):
        """A `Reconstruction` with every map referenced, each to its own mean."""
        return result.with_maps(self.subtract)


def read_reference(
    choice: str,
    field: Volume,
    mask: Volume,
    threshold: float | None = None,
    threshold_flag: str | None = None,
) -> Reference:
    """The reference that a person chose.

    Args:
        choice: "none", "mean", or the path of a mask on the grid of the field.
        field: the image to reconstruct; its place and the mask's are compared with the
            region's.
        mask: bool data `(x, y, z)`, the brain.
        threshold: voxels of the file above it are in the region, unless it holds only
            0 and 1. Defaults to None: it must hold only these.
        threshold_flag: as for `read_mask`. Defaults to None.

    Returns:
        Reference: of the kind that `choice` names.

    Raises:
        InputError: if the file cannot be read, is not binary, is empty, is on another
            grid, or has no voxel inside the brain mask.
    """
    if choice == NONE:
        return Reference(NONE, None, mask.data, None)
    if choice == MEAN:
        return Reference(MEAN, None, mask.data, mask.data)
    volume = read_mask(choice, threshold, True, threshold_flag)
    check_same_grids([field, mask, volume])
    region = volume.data & mask.data
    inside, voxels = np.count_nonzero(region), np.count_nonzero(volume.data)
    if not inside:
        raise InputError(f"{choice}: the reference region lies outside the mask")
    if inside < voxels:
        warnings.warn(
            f"{choice}: {voxels - inside} of {voxels} voxels of the reference region"
            " lie outside the mask; they are not used",
            stacklevel=2,
        )
    return Reference(REGION, choice, mask.data, region)
