"""Volumes turned to one order of axes, as near to right-anterior-superior as can be.

A network's kernels are not symmetric: the same head stored with another order or sign
of its axes would give another map. So would the highest frequency of an even matrix
size, whose sign the DFT does not tell. Axes are permuted and flipped only, nothing is
interpolated.
"""

import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    io_orientation,
    ornt2axcodes,
    ornt_transform,
)

from spinet_tf.scan_geometry import check_scan

CANONICAL = axcodes2ornt("RAS")


class CanonicalAxes:
    """The way from a volume's axes to the canonical ones, and back.

    Attributes:
        codes: str such as "LPS", where the stored axes point to; None without an
            affine.
        sides: str "LR", where the first canonical axis comes from and points to; empty
            without an affine.

    Args:
        affine: float64 `(4, 4)`, voxel indices to scanner coordinates [mm]; None
            leaves the axes as they are.
    """

    def __init__(self, affine):
        stored = CANONICAL if affine is None else io_orientation(affine)
        self.codes = None if affine is None else "".join(ornt2axcodes(stored))
        self.sides = "" if affine is None else "LR"
        self._there = ornt_transform(stored, CANONICAL)
        self._back = ornt_transform(CANONICAL, stored)

    def turn(self, volume):
        """A volume `(x, y, z)` in canonical axes."""
        return np.ascontiguousarray(apply_orientation(volume, self._there))

    def turn_back(self, volume):
        """A volume in canonical axes in the stored ones."""
        return np.ascontiguousarray(apply_orientation(volume, self._back))

    def turn_edges(self, voxel_size):
        """Three voxel edges [mm] of the stored axes, in canonical order."""
        places = self._there[:, 0].astype(int)
        pairs = sorted(zip(places, voxel_size, strict=True))
        return tuple(float(value) + 0.0 for _, value in pairs)  # -0.0 becomes 0.0

    def turn_direction(self, direction):
        """A vector in the stored axes, in canonical ones."""
        signs = self._there[:, 1]
        return self.turn_edges(np.multiply(signs, direction))


def reconstruct_in_canonical_axes(
    solve, affine, local_field, mask, voxel_size, b0_direction
):
    """Reconstruct a volume stored in any order of axes.

    Args:
        solve: callable of local field, mask, voxel size and B0 direction that gives a
            `spinet_tf.reconstruction.Reconstruction`.
        affine: float64 `(4, 4)`, of the volume, or None.
        local_field: float32 `(x, y, z)` [ppm].
        mask: `(x, y, z)`, 0 or 1.
        voxel_size: three floats [mm], of the stored axes.
        b0_direction: three floats, in the stored axes.

    Returns:
        A `Reconstruction` with its maps in the stored axes.

    Raises:
        InputError: what the scan is made of, other than the affine, is something else.
    """
    check_scan(local_field, mask, voxel_size, b0_direction)
    axes = CanonicalAxes(affine)
    result = solve(
        axes.turn(local_field),
        axes.turn(mask),
        axes.turn_edges(voxel_size),
        axes.turn_direction(b0_direction),
    )
    return result.with_maps(axes.turn_back)
