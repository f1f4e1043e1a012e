"""Thick slices, interpolated for a network and averaged again.

A network that has learned from voxels about as long as they are wide makes less of
slices that are several times as thick. It gets the field on a grid of thinner ones, and
of its map the mean of what was one slice is taken.

Interpolation leaves the highest frequencies empty, and a network would take a field
without noise there for one without noise everywhere. So they are filled with what the
field has at the others.
"""

import math

import numpy as np
import tensorflow as tf
from scipy.ndimage import median_filter
from scipy.signal import resample
from scipy.stats import median_abs_deviation

from spinet_tf.available_memory import check_fits_in_memory
from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.dipole_operator import spectrum_of
from spinet_tf.error_power import error_power
from spinet_tf.reconstruction import data_consistency_error
from spinet_tf.reconstruction_memory import format_size
from spinet_tf.residual import field_residual
from spinet_tf.scan_geometry import check_scan, normalise_b0_direction

FINEST = 0.8
"""mm, no edge is made shorter: the least that the shipped weights saw at last."""

OUTLYING = 8
"""Deviations from the neighbours' median, beyond which a voxel is no noise."""

MOST_PARTS = 8
"""Of an edge; a voxel size that is wrong must not fill the memory."""


class ThinGrid:
    """A grid whose long edges are cut into equal parts.

    An edge is cut into as many as are no shorter than the shortest edge, nor than
    `FINEST`, and `MOST_PARTS` at most.

    Args:
        voxel_size: three floats [mm].

    Attributes:
        parts: tuple of three integers, into how many each edge is cut.
        voxel_size: tuple of three floats [mm], of the parts.
    """

    def __init__(self, voxel_size):
        shortest = max(FINEST, min(voxel_size))
        # What rounding adds to a header's voxel size does not count.
        self.parts = tuple(
            max(1, math.floor(round(min(edge / shortest, MOST_PARTS), 3)))
            for edge in voxel_size
        )
        pairs = zip(voxel_size, self.parts, strict=True)
        self.voxel_size = tuple(edge / parts for edge, parts in pairs)

    def interpolate(self, field):
        """A field `(x, y, z)` with no more frequencies in its parts, periodic."""
        for axis, parts in enumerate(self.parts):
            if parts > 1:
                halves = resample(field, 2 * parts * field.shape[axis], axis=axis)
                # The first is in the middle of a voxel; parts are to be around it.
                halves = np.moveaxis(np.roll(halves, parts - 1, axis), axis, 0)
                field = np.moveaxis(halves[::2], 0, axis)
        return field

    def missing_noise(self, deviation, size):
        """White noise, the same each time, of the frequencies that no field has here.

        Args:
            deviation: float, of the noise of a field.
            size: three integers, of the grid.

        Returns:
            float32 `(x, y, z)`, with the power that interpolated noise has at others.
        """
        noise = np.random.default_rng(0).standard_normal(size, np.float32)
        known = noise
        for axis, parts in enumerate(self.parts):
            if parts > 1:
                known = resample(known, size[axis] // parts, axis=axis)
                known = resample(known, size[axis], axis=axis)
        return deviation * math.sqrt(math.prod(self.parts)) * (noise - known)

    def repeat(self, mask):
        """A mask `(x, y, z)` with each voxel's parts like it."""
        for axis, parts in enumerate(self.parts):
            mask = np.repeat(mask, parts, axis)
        return mask

    def average(self, volume):
        """The mean over the parts of each voxel of a finer volume `(x, y, z)`."""
        for axis, parts in enumerate(self.parts):
            shape = list(volume.shape)
            shape[axis : axis + 1] = shape[axis] // parts, parts
            volume = volume.reshape(shape).mean(axis + 1)
        return volume


def white_noise(local_field, mask, voxel_size, b0_direction):
    """Standard deviation of a field's white noise, as `spinet_tf.error_power` reads it.

    Voxels without signal would pass for noise everywhere, few as they are. They count
    as the median of their neighbours.

    Args:
        local_field: float32 `(x, y, z)` [ppm].
        mask: `(x, y, z)`, 0 or 1.
        voxel_size: three floats [mm].
        b0_direction: three floats, in voxel axes.

    Returns:
        A float [ppm].
    """
    geometry = voxel_size, normalise_b0_direction(b0_direction)
    kernel = dipole_kernel(mask.shape, *(np.float32([each]) for each in geometry))
    window = tf.constant(np.float32(mask)[np.newaxis, ..., np.newaxis])
    field = np.where(mask != 0, local_field, 0).astype(np.float32)
    usual = median_filter(field, 3)
    apart = field - usual
    inside = apart[mask != 0]
    deviation = median_abs_deviation(inside, scale="normal") if inside.size else 0
    field = np.where(np.abs(apart) > OUTLYING * deviation, usual, field)
    field = tf.constant(np.float32(field)[np.newaxis, ..., np.newaxis])
    return float(error_power(spectrum_of(field), window, kernel).white[0]) ** 0.5


def reconstruct_thin(
    solve, local_field, mask, voxel_size, b0_direction, dipole_at_zero=0.0
):
    """Reconstruct a volume with its thick slices interpolated.

    What is solved for gets white noise, the same each time, at the frequencies that
    interpolation leaves empty: as much as the field has.

    Args:
        solve: callable of local field, mask, voxel size and B0 direction that gives a
            `spinet_tf.reconstruction.Reconstruction`.
        local_field: float32 `(x, y, z)` [ppm].
        mask: `(x, y, z)`, 0 or 1.
        voxel_size: three floats [mm].
        b0_direction: three floats, in voxel axes.
        dipole_at_zero: float, D(0) of the network, with which the averaged map's
            data-consistency error is computed. Defaults to 0.

    Returns:
        A `Reconstruction` on the grid of the field.

    Raises:
        InputError: an argument is something else.
        OutOfMemory: the interpolated field does not fit.
    """
    check_scan(local_field, mask, voxel_size, b0_direction)
    grid = ThinGrid(voxel_size)
    if max(grid.parts) == 1:
        return solve(local_field, mask, voxel_size, b0_direction)
    mask = np.asarray(mask)
    size = np.multiply(mask.shape, grid.parts)
    check_fits_in_memory(
        44 * math.prod(map(int, size)),  # a field, another at twice the size, spectra
        f"field: thick slices interpolated to {format_size(size)} voxels",
    )
    thin_mask = grid.repeat(mask)
    # Each by itself: what is outside, of which nothing may be known, stays there.
    inside, outside = (
        grid.interpolate(np.where(where, local_field, np.float32(0)))
        for where in (mask != 0, (mask == 0) & np.isfinite(local_field))
    )
    noise = white_noise(local_field, mask, voxel_size, b0_direction)
    inside += grid.missing_noise(noise, inside.shape)
    field = np.where(thin_mask != 0, inside, outside)
    result = solve(field, thin_mask, grid.voxel_size, b0_direction)
    result = result.with_maps(grid.average)
    residual = field_residual(
        *(result.susceptibility, local_field, mask, voxel_size, b0_direction),
        dipole_at_zero,
    )
    error = data_consistency_error(residual, local_field, mask)
    return result._replace(data_consistency=error)
