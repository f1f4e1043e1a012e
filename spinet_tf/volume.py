"""A 3-D image with its place in the scanner, and checks across images."""

import dataclasses
import warnings
from collections.abc import Sequence

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes

from spinet_tf.errors import InputError

# Two grids are the same if no voxel lies further apart than this share of the
# smallest voxel edge: rounding in headers passes, another scan does not.
GRID_TOLERANCE = 0.01
SCANNER = 1
"""NIfTI's code of an affine that leads to scanner coordinates."""
ALIGNED = 2
"""And to those of another scan, which many programs write for want of a better one."""


@dataclasses.dataclass(frozen=True, eq=False)
class Volume:
    """A 3-D image and where its voxels lie.

    Args:
        data: float32 `(x, y, z)`, or bool `(x, y, z)` for a mask.
        affine: float64 `(4, 4)`, voxel indices to scanner coordinates [mm];
            None if the file has none (.mat).
        name: what messages call it, usually its path.
        sform_code: NIfTI code of what `affine` refers to. Defaults to 0; with both 0
            the image lies nowhere, and the affine tells the voxel size only.
        qform_code: NIfTI code of what `qform` refers to. Defaults to 0.
        qform: float64 `(4, 4)`, the header's second affine [mm], kept for
            writing; None if there is none.
    """

    data: np.ndarray
    affine: np.ndarray | None
    name: str
    sform_code: int = 0
    qform_code: int = 0
    qform: np.ndarray | None = None

    @property
    def voxel_size(self) -> tuple[float, float, float] | None:
        """Voxel edges [mm] in the scanner; None without an affine."""
        affine = self._scanner_affine
        return None if affine is None else tuple(voxel_sizes(affine).tolist())

    @property
    def b0_direction(self) -> tuple[float, float, float] | None:
        """Unit B0 direction in voxel axes; None without an affine."""
        affine = self._scanner_affine
        return None if affine is None else affine_b0_direction(affine)

    @property
    def knows_scanner_axes(self) -> bool:
        """Whether an affine leads to a scanner's coordinates, whose z axis is B0."""
        known = bool({SCANNER, ALIGNED} & {self.sform_code, self.qform_code})
        return known and self.affine is not None

    @property
    def is_placed(self) -> bool:
        """Whether the header says where the voxels lie, and not only their size."""
        return self.affine is not None and bool(self.sform_code or self.qform_code)

    @property
    def _scanner_affine(self) -> np.ndarray | None:
        return self.qform if self._goes_by_qform else self.affine

    @property
    def _goes_by_qform(self) -> bool:
        leads = qform_leads_to_the_scanner(self.sform_code, self.qform_code)
        return leads and self.qform is not None

    def placed_like(self, other: "Volume") -> "Volume":
        """The same, with the place of another image of its grid if that knows more."""
        if most_placed([self, other]) is self:
            return self
        return dataclasses.replace(other, data=self.data, name=self.name)


def qform_leads_to_the_scanner(sform_code: int, qform_code: int) -> bool:
    """Whether the qform rather than the sform tells a scan's geometry.

    An sform may lead to a template's coordinates, where z is not B0 and a millimetre
    not the scanner's.

    Args:
        sform_code: NIfTI code of what the sform refers to.
        qform_code: NIfTI code of what the qform refers to.

    Returns:
        True if what the qform refers to is nearer to the scanner.
    """
    ranks = {SCANNER: 0, ALIGNED: 1}
    return ranks.get(qform_code, 2) < ranks.get(sform_code, 2)


def affine_b0_direction(affine: np.ndarray) -> tuple[float, float, float]:
    """B0 direction of a scan, in voxel axes.

    B0 is the scanner's z axis. With R the affine's columns divided by their
    norms (the voxel axes in the scanner), b = R^T [0, 0, 1].

    Args:
        affine: float64 `(4, 4)`, voxel indices to scanner coordinates [mm].

    Returns:
        Unit vector.
    """
    voxel_axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    b0 = voxel_axes[2] / np.linalg.norm(voxel_axes[2])
    return tuple(float(component) + 0.0 for component in b0)  # -0.0 becomes 0.0


def most_placed(volumes: Sequence[Volume]) -> Volume:
    """The image that knows best where its voxels lie, the first of several such.

    Args:
        volumes: images on one grid.

    Returns:
        One that knows the scanner's axes, else one with a NIfTI code, else one with an
        affine, else the first.
    """
    return max(
        volumes,
        key=lambda v: (v.knows_scanner_axes, v.is_placed, v.affine is not None),
    )


def check_same_grids(volumes: Sequence[Volume]) -> None:
    """`check_same_grid` of all images with `most_placed` of them.

    Args:
        volumes: the images.

    Raises:
        InputError: one of them has another grid.
    """
    located = most_placed(volumes)
    for volume in volumes:
        check_same_grid(located, volume)


def check_same_grid(first: Volume, second: Volume) -> None:
    """Check that two images have the same voxels in the same places.

    Args:
        first: one image.
        second: the other; the places are compared if both have a NIfTI code that
            tells what their affine leads to, those in the scanner if both know them,
            else the voxel sizes if both have some.

    Raises:
        InputError: if the shapes differ, voxels lie further apart than
            `GRID_TOLERANCE` of a voxel, or their sizes differ by as much.
    """
    if first.data.shape != second.data.shape:
        raise InputError(
            f"{second.name}: shape {second.data.shape} differs from"
            f" {first.data.shape} of {first.name}"
        )
    if first.affine is None or second.affine is None:
        return
    if not (first.is_placed and second.is_placed):
        sizes = np.array([first.voxel_size, second.voxel_size])
        if not np.allclose(*sizes, rtol=GRID_TOLERANCE, atol=0):
            shown = (" x ".join(f"{edge:.4g}" for edge in size) for size in sizes)
            raise InputError(
                "{1}: its voxels of {3} mm are not those of {0}, {2} mm".format(
                    first.name, second.name, *shown
                )
            )
        return
    apart = _millimetres_apart(first, second)
    if apart > GRID_TOLERANCE * min(first.voxel_size):
        raise InputError(
            f"{second.name}: the affine differs from that of {first.name}:"
            f" voxels lie up to {apart:.3g} mm apart"
        )


def _millimetres_apart(first: Volume, second: Volume) -> float:
    """How far apart [mm] the voxels of two placed images of one shape lie."""
    pairs = []
    if first.knows_scanner_axes and second.knows_scanner_axes:
        pairs.append((first._scanner_affine, second._scanner_affine))
    # Two qforms that lead to the scanner tell more than sforms that lead to a template.
    # A program that knows one affine only, though, may give a mask the template's as
    # if it were the scanner's.
    if not (first._goes_by_qform and second._goes_by_qform):
        pairs.append((first.affine, second.affine))
    # Affine maps differ most at a corner of the grid.
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(first.data.shape) - 1)
    return min(
        float(np.linalg.norm(apply_affine(one - other, corners), axis=1).max())
        for one, other in pairs
    )


def check_field(field: Volume, mask: Volume) -> Volume:
    """Check that a field is finite where it is used.

    Args:
        field: float32 data `(x, y, z)`, any unit.
        mask: bool data `(x, y, z)`.

    Returns:
        The field; NaN and infinity outside the mask are set to 0, with a warning.

    Raises:
        InputError: if a voxel inside the mask is NaN or infinite.
    """
    bad = ~np.isfinite(field.data)
    inside = np.count_nonzero(bad & mask.data)
    if inside:
        raise InputError(
            f"{field.name}: {inside} of {np.count_nonzero(mask.data)} voxels inside"
            " the mask are NaN or infinite"
        )
    outside = np.count_nonzero(bad)
    if not outside:
        return field
    warnings.warn(
        f"{field.name}: {outside} voxels outside the mask are NaN or infinite;"
        " they are set to 0",
        stacklevel=2,
    )
    return dataclasses.replace(
        field, data=np.where(bad, np.float32(0), field.data).astype(np.float32)
    )
