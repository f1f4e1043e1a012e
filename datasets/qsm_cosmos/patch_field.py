"""The local field of a patch, as if there were nothing outside of it."""

import functools

import numpy as np

from spinet_tf.simulate import simulate_field

from .patches import Triple, crop
from .scan import Scan


class PatchField:
    """Local fields of the patches of a scan, without that of sources outside a patch.

    Sources outside a patch make a part of its field that nothing in the patch explains.
    The map tells that part, but for what it leaves unexplained of the measured field:
    that stays.

    Args:
        scan: the scan.
    """

    def __init__(self, scan: Scan):
        self._scan = scan

    @functools.cached_property
    def _explained(self):
        """The field of all sources of the map."""
        # Room around the head: the other side of the volume makes no part of a field.
        scan = self._scan
        margin = [(edge // 4, edge // 4) for edge in scan.mask.shape]
        padded = (np.pad(x, margin) for x in (scan.susceptibility, scan.mask))
        first = tuple(before for before, _ in margin)
        return crop(self._simulate(*padded), first, scan.mask.shape)

    def __call__(self, corner: Triple, susceptibility: np.ndarray) -> np.ndarray:
        """Gives the field of one patch.

        Args:
            corner: its first voxel.
            susceptibility: its sources, float32 `(x, y, z)`, ppm: those of the map,
                less their mean.

        Returns:
            Float32 `(x, y, z)`, ppm, 0 outside the mask; as measured for the whole
            volume.
        """
        scan, shape = self._scan, susceptibility.shape
        measured = crop(scan.local_field, corner, shape)
        if shape == scan.mask.shape:
            return measured
        mask, explained = (
            crop(volume, corner, shape) for volume in (scan.mask, self._explained)
        )
        return measured - explained + self._simulate(susceptibility, mask)

    def _simulate(self, susceptibility, mask):
        return simulate_field(
            susceptibility, mask, self._scan.voxel_size, self._scan.b0_direction
        )
