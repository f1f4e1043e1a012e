"""A measured scan: a local field with the COSMOS map and mask on its grid."""

import dataclasses

import numpy as np

from spinet_tf.dipole_operator import field_of
from spinet_tf.errors import InputError
from spinet_tf.field_units import FieldUnits, check_units, ppm_per_unit
from spinet_tf.scan_geometry import check_voxel_size
from spinet_tf.volume import Volume, check_field, check_same_grids

# ppm; the standard deviation of a COSMOS map in the brain is about 0.03.
SMALLEST_SPREAD, LARGEST_SPREAD = 0.003, 0.3
# Of an in vivo scan it is 0.9, and -0.4 or -0.5 with B0 along another axis.
LEAST_CORRELATION = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Scan:
    """One orientation of one subject.

    Attributes:
        susceptibility: float32 `(x, y, z)`, ppm, zero mean in the mask, 0 outside.
        local_field: float32 `(x, y, z)`, ppm, 0 outside the mask.
        mask: bool `(x, y, z)`.
        voxel_size: float32 `(3,)`, mm.
        b0_direction: float32 `(3,)`, unit vector in voxel axes.
        b0_is_assumed: whether nothing tells how the head lay in the scanner. Defaults
            to False.
    """

    susceptibility: np.ndarray
    local_field: np.ndarray
    mask: np.ndarray
    voxel_size: np.ndarray
    b0_direction: np.ndarray
    b0_is_assumed: bool = False


def make_scan(
    susceptibility: Volume,
    local_field: Volume,
    mask: Volume,
    voxel_size: tuple[float, float, float],
    b0_direction: tuple[float, float, float],
    units: FieldUnits,
) -> Scan:
    """Checks that three images are of one scan, and puts them together.

    Args:
        susceptibility: float32 data, ppm, relative to anything.
        local_field: float32 data, in `units`.
        mask: bool data.
        voxel_size: mm.
        b0_direction: unit vector in voxel axes.
        units: of the local field.

    Returns:
        The scan.

    Raises:
        InputError: if the grids differ, values in the mask are not finite or cannot
            be those of a brain in the stated units, or the voxel size is absurd.
    """
    check_same_grids([local_field, susceptibility, mask])
    inside = mask.data
    field = check_field(local_field, mask).data
    chi = check_field(susceptibility, mask).data
    check_units(field[inside], *units, name=local_field.name)
    spread = float(chi[inside].std())
    if not SMALLEST_SPREAD <= spread <= LARGEST_SPREAD:
        raise InputError(
            f"{susceptibility.name}: the standard deviation in the mask is"
            f" {spread:.3g}, expected {SMALLEST_SPREAD:g} to {LARGEST_SPREAD:g} ppm;"
            " is the map in ppm?"
        )
    return Scan(
        susceptibility=without_mean(chi, inside),
        local_field=np.where(inside, field * ppm_per_unit(*units), 0).astype(
            np.float32
        ),
        mask=inside,
        voxel_size=np.array(check_voxel_size(voxel_size, local_field.name), np.float32),
        b0_direction=np.array(b0_direction, np.float32),
    )


def check_agreement(scan: Scan) -> None:
    """Checks that the local field is like that of the map.

    It is not where one has the wrong sign or its axes in another order, or where the B0
    direction is wrong.

    Args:
        scan: the scan.

    Raises:
        InputError: if the correlation of the two fields in the mask is too small.
    """
    expected = field_of(scan.susceptibility, scan.voxel_size, scan.b0_direction)
    fields = [field[scan.mask] for field in (scan.local_field, expected)]
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.corrcoef(fields)[0, 1]  # NaN if one is constant
    if not correlation >= LEAST_CORRELATION:
        b0_direction = ", ".join(f"{part:.3g}" for part in scan.b0_direction)
        raise InputError(
            f"the local field has a correlation of {correlation:.2f} with that of the"
            f" map, expected at least {LEAST_CORRELATION}; is the sign or the order of"
            f" axes of one wrong, or the B0 direction, {b0_direction}?"
        )


def without_mean(susceptibility: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Subtracts the mean in the mask, which the field inside does not determine.

    Args:
        susceptibility: float `(x, y, z)`, ppm.
        mask: bool `(x, y, z)`, not empty.

    Returns:
        Float32 `(x, y, z)`, ppm, 0 outside the mask.
    """
    mean = susceptibility[mask].mean(dtype=np.float64)
    return np.where(mask, susceptibility - mean, 0).astype(np.float32)
