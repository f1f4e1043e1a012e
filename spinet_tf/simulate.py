"""Susceptibility in, local field out: the forward model."""

import math

import numpy as np

from spinet_tf.available_memory import check_fits_in_memory
from spinet_tf.dipole_operator import field_of
from spinet_tf.errors import InputError
from spinet_tf.reconstruction_memory import format_size
from spinet_tf.scan_geometry import check_scan, check_sources

BYTES_PER_VOXEL = 50  # measured
LARGEST_NOISE = 1000.0
"""In ppm; fields are a thousand times smaller than it."""


def simulate_field(susceptibility, mask, voxel_size, b0_direction, noise=0.0, seed=0):
    """Local field of a susceptibility map, with white noise.

    The convolution is circular: what lies at one edge of the grid acts on the
    opposite one, so leave a margin around the head.

    Args:
        susceptibility: float `(x, y, z)` [ppm].
        mask: `(x, y, z)`, 0 or 1; the field is zero outside.
        voxel_size: three floats [mm].
        b0_direction: three floats, in voxel axes.
        noise: float from 0 to 1000 [ppm], standard deviation of Gaussian noise.
            Defaults to 0.
        seed: int >= 0, of the noise. Defaults to 0.

    Returns:
        Local field, float32 `(x, y, z)` [ppm].

    Raises:
        InputError: an argument is something else, the volume does not fit in memory,
            or the field is not finite.
    """
    check_scan(susceptibility, mask, voxel_size, b0_direction, "susceptibility")
    if not 0 <= noise <= LARGEST_NOISE:
        raise InputError(f"noise: expected 0 to {LARGEST_NOISE:g} ppm, got {noise}")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed: expected an integer >= 0, got {seed}")
    check_sources(susceptibility)
    shape = np.shape(susceptibility)
    check_fits_in_memory(
        BYTES_PER_VOXEL * math.prod(shape),
        f"susceptibility: simulating the field of {format_size(shape)} voxels",
    )
    field = field_of(susceptibility, voxel_size, b0_direction)
    if not np.isfinite(field).all():
        raise InputError(
            "susceptibility: its values are too large, the field is not finite"
        )
    noise = noise * np.random.default_rng(seed).standard_normal(field.shape)
    return np.where(np.asarray(mask) > 0, field + noise, 0).astype(np.float32)
