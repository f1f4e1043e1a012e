"""What a susceptibility map leaves of the field."""

import numpy as np

from spinet_tf.dipole_operator import field_of
from spinet_tf.scan_geometry import check_scan, check_sources


def field_residual(
    susceptibility, local_field, mask, voxel_size, b0_direction, dc_value=0.0
):
    """The residual mask (Phi chi - y).

    Args:
        susceptibility: float32 `(x, y, z)`, chi [ppm].
        local_field: float32 `(x, y, z)`, y [ppm].
        mask: `(x, y, z)`, 0 or 1.
        voxel_size: three floats [mm].
        b0_direction: three floats, in voxel axes.
        dc_value: float, D(0). Defaults to 0.

    Returns:
        float32 `(x, y, z)` [ppm].

    Raises:
        InputError: an argument is something else, the susceptibility is not finite, or
            the field in the mask is not.
    """
    for volume, name in (
        (susceptibility, "susceptibility"),
        (local_field, "local_field"),
    ):
        check_scan(volume, mask, voxel_size, b0_direction, name)
    check_sources(susceptibility)
    predicted = field_of(susceptibility, voxel_size, b0_direction, dc_value)
    residual = predicted - np.asarray(local_field, np.float32)
    return np.where(np.asarray(mask) > 0, residual, np.float32(0))
