"""Zeros around a volume, against what a circular convolution wraps around.

The field of what is near one face of a volume comes back in at the opposite face. With
zeros between the two it is the weaker the more there are of them. They count as outside
the mask.

Fast Fourier transforms take two to three times as long for a matrix size with a large
prime factor. Where there are many of them, such a size is padded too, by the few voxels
to a fast one.
"""

import functools
import math

import numpy as np
from scipy.fft import next_fast_len

from spinet_tf.available_memory import check_fits_in_memory
from spinet_tf.errors import InputError
from spinet_tf.reconstruction_memory import format_size
from spinet_tf.scan_geometry import check_scan

LARGEST_FAST_FACTOR = 43  # measured
LARGEST_PADDING = 500.0  # mm, more than there is room in a scanner


def check_padding(padding, name="padding"):
    """Check that a padding is one.

    Args:
        padding: float [mm].
        name: where it comes from, for the message.

    Raises:
        InputError: it is not between 0 and 500 mm.
    """
    if not 0 <= padding <= LARGEST_PADDING:
        raise InputError(
            f"{name}: expected 0 to {LARGEST_PADDING:g} mm, got {padding:g}"
        )


class PaddedGrid:
    """A grid with voxels added on every side.

    Args:
        matrix_size: three integers.
        voxel_size: three floats [mm].
        padding: float >= 0 [mm], to add on each side at least. Defaults to 0.
        fast: bool, whether a slow matrix size grows to a fast one. Defaults to False.

    Attributes:
        size: tuple of three integers, the padded matrix size.
    """

    def __init__(self, matrix_size, voxel_size, padding=0.0, fast=False):
        self._matrix_size = tuple(matrix_size)
        wanted = [
            n + 2 * _voxels_in(padding, edge)
            for n, edge in zip(matrix_size, voxel_size, strict=True)
        ]
        self.size = tuple(map(_fast_size, wanted) if fast else wanted)
        self._before = [
            (padded - n) // 2
            for padded, n in zip(self.size, self._matrix_size, strict=True)
        ]

    def pad(self, volume):
        """A volume `(x, y, z)` with zeros around it."""
        volume = np.asarray(volume)
        padded = np.zeros(self.size, volume.dtype)
        padded[self._inside] = volume
        return padded

    def crop(self, volume):
        """What `pad` was given, from a padded volume `(x, y, z)`."""
        return np.ascontiguousarray(volume[self._inside])

    @property
    def _inside(self):
        ends = zip(self._before, self._matrix_size, strict=True)
        return tuple(slice(before, before + n) for before, n in ends)


def reconstruct_padded(
    solve, padding, fast, local_field, mask, voxel_size, b0_direction
):
    """Reconstruct a volume with zeros around it.

    Args:
        solve: callable of local field, mask, voxel size and B0 direction that gives a
            `spinet_tf.reconstruction.Reconstruction`.
        padding: float [mm], see `PaddedGrid`.
        fast: bool, see `PaddedGrid`.
        local_field: float32 `(x, y, z)` [ppm].
        mask: `(x, y, z)`, 0 or 1.
        voxel_size: three floats [mm].
        b0_direction: three floats, in voxel axes.

    Returns:
        A `Reconstruction` with its maps cropped to the volume.

    Raises:
        InputError: an argument is something else, or too much for the memory.
    """
    check_padding(padding)
    check_scan(local_field, mask, voxel_size, b0_direction)
    grid = PaddedGrid(np.shape(mask), voxel_size, padding, fast)
    if grid.size == np.shape(mask):
        return solve(local_field, mask, voxel_size, b0_direction)
    check_fits_in_memory(
        5 * math.prod(grid.size),  # a float and a bool
        f"padding: a volume of {format_size(grid.size)} voxels",
    )
    result = solve(grid.pad(local_field), grid.pad(mask), voxel_size, b0_direction)
    return result.with_maps(grid.crop)


def _voxels_in(length, edge):
    # Not one more for what rounding adds to a header's voxel size.
    return math.ceil(round(length / edge, 3))


def _fast_size(n):
    return n if largest_prime_factor(n) <= LARGEST_FAST_FACTOR else next_fast_len(n)


@functools.cache
def largest_prime_factor(n):
    """The largest prime factor of a positive integer; 1 for 1."""
    largest, factor = 1, 2
    while factor * factor <= n:
        if n % factor:
            factor += 1
        else:
            n, largest = n // factor, factor
    return max(n, largest)
