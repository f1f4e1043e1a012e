"""A scan's arrays, voxel size and B0 direction as a person gives them."""

import math

import numpy as np

from spinet_tf.errors import InputError

SMALLEST_VOXEL = 0.05
LARGEST_VOXEL = 20.0


def parse_vector(text: str, name: str) -> tuple[float, float, float]:
    """Three numbers from "x,y,z".

    Args:
        text: for example "0.7,0.7,3".
        name: the argument's name, for the message.

    Returns:
        Three finite numbers.

    Raises:
        InputError: if it is anything else.
    """
    try:
        vector = tuple(float(part) for part in text.split(","))
    except ValueError:
        vector = ()
    if len(vector) != 3 or not all(map(math.isfinite, vector)):
        raise InputError(f"{name}: expected three numbers as x,y,z, got {text!r}")
    return vector


def check_voxel_size(
    voxel_size: tuple[float, float, float], name: str = "voxel size"
) -> tuple[float, float, float]:
    """Check that voxel edges are those of an MR image.

    Args:
        voxel_size: three edges [mm].
        name: where they come from, for the message.

    Returns:
        `voxel_size`, as a tuple of float.

    Raises:
        InputError: if an edge is outside 0.05 to 20 mm.
    """
    voxel_size = tuple(float(edge) for edge in voxel_size)
    if len(voxel_size) != 3 or not all(
        SMALLEST_VOXEL <= edge <= LARGEST_VOXEL for edge in voxel_size
    ):
        got = ", ".join(f"{edge:.6g}" for edge in voxel_size)
        raise InputError(
            f"{name}: expected three edges of {SMALLEST_VOXEL} to"
            f" {LARGEST_VOXEL:g} mm, got {got}"
        )
    return voxel_size


def normalise_b0_direction(
    direction: tuple[float, float, float], name: str = "B0 direction"
) -> tuple[float, float, float]:
    """Unit vector along a direction.

    Args:
        direction: B0 direction in voxel axes, of any length from 1e-6 on.
        name: where it comes from, for the message.

    Returns:
        Unit vector.

    Raises:
        InputError: if it is not three finite numbers, or has no length.
    """
    direction = tuple(float(component) for component in direction)
    length = math.hypot(*direction)
    if len(direction) != 3 or not math.isfinite(length) or length < 1e-6:
        got = ", ".join(f"{component:g}" for component in direction)
        raise InputError(f"{name}: expected a vector longer than 0, got {got}")
    return tuple(component / length for component in direction)


def check_sources(susceptibility):
    """Check that a susceptibility is finite, outside the mask too: it acts from there.

    Args:
        susceptibility: real array [ppm].

    Raises:
        InputError: it is not, as float32.
    """
    with np.errstate(over="ignore"):  # what float32 does not hold is infinite
        if not np.isfinite(np.asarray(susceptibility, np.float32)).all():
            raise InputError("susceptibility: expected finite values")


def check_scan(volume, mask, voxel_size, b0_direction, name="local_field"):
    """Check what a caller gives for a scan.

    Args:
        volume: should be real `(x, y, z)`, finite in the mask.
        mask: should be 0 and 1, of the volume's shape.
        voxel_size: see `check_voxel_size`.
        b0_direction: see `normalise_b0_direction`.
        name: what the caller calls the volume, for the message. Defaults to
            "local_field".

    Raises:
        InputError: one of them is something else.
    """
    volume, mask = _array(volume, name), _array(mask, "mask")
    if volume.ndim != 3 or not volume.size:
        raise InputError(f"{name}: expected the axes (x, y, z), got {volume.shape}")
    if volume.dtype.kind not in "biuf":
        raise InputError(f"{name}: expected real numbers, got {volume.dtype}")
    if mask.shape != volume.shape:
        raise InputError(f"mask: expected the shape {volume.shape}, got {mask.shape}")
    inside = mask == 1
    if not (inside | (mask == 0)).all():
        raise InputError("mask: expected 0 and 1 only")
    with np.errstate(over="ignore"):  # what float32 does not hold is infinite
        finite = np.isfinite(volume.astype(np.float32, copy=False))
    if not (finite | ~inside).all():
        raise InputError(f"{name}: expected finite float32 values in the mask")
    for vector, called in ((voxel_size, "voxel_size"), (b0_direction, "b0_direction")):
        values = _array(vector, called)
        if values.shape != (3,) or values.dtype.kind not in "iuf":
            raise InputError(f"{called}: expected three numbers, got {vector!r:.100}")
    check_voxel_size(voxel_size, "voxel_size")
    normalise_b0_direction(b0_direction, "b0_direction")


def without_gaps(local_field):
    """A field with 0 where it is not finite.

    Args:
        local_field: real `(x, y, z)` that `check_scan` passed: finite in the mask.

    Returns:
        float32 `(x, y, z)`.
    """
    field = np.asarray(local_field, np.float32)
    if np.isfinite(field).all():
        return field
    return np.nan_to_num(field, nan=0, posinf=0, neginf=0)


def _array(values, name):
    try:
        return np.asarray(values)
    except ValueError as error:  # lists of unlike lengths
        raise InputError(f"{name}: expected an array, {error}") from error
