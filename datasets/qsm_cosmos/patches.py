"""Overlapping patches that cover a mask."""

import itertools
import math

import numpy as np

from spinet_tf.box import bounding_box
from spinet_tf.errors import InputError

Triple = tuple[int, int, int]


def patch_corners(
    mask: np.ndarray, shape: Triple, stride: Triple, least_mask: float
) -> list[Triple]:
    """Lays patches over the bounding box of a mask.

    Along each axis the first patch begins and the last one ends with the box, and the
    others lie evenly between them. With `least_mask` 0 and strides up to the patch's
    shape every voxel of the mask is in a patch.

    Args:
        mask: bool `(x, y, z)`, not empty.
        shape: matrix size of a patch.
        stride: largest distance of neighbours along each axis [voxels].
        least_mask: patches are kept in which the mask fills more than this share.

    Returns:
        First voxel of each patch, at least one.

    Raises:
        InputError: if a patch is larger than the volume, or none is kept.
    """
    if any(size > length for size, length in zip(shape, mask.shape, strict=True)):
        raise InputError(f"shape {mask.shape} is smaller than a patch, {tuple(shape)}")
    grid, box = [], bounding_box(mask)
    for axis in range(3):
        first = min(box.low[axis], mask.shape[axis] - shape[axis])
        last = max(first, box.high[axis] - shape[axis])
        count = 1 + math.ceil((last - first) / stride[axis])
        grid.append(np.linspace(first, last, count).round().astype(int).tolist())
    corners = [
        corner
        for corner in itertools.product(*grid)
        if crop(mask, corner, shape).mean() > least_mask
    ]
    if not corners:
        raise InputError(
            f"the mask fills no more than {least_mask:.0%} of any patch,"
            f" {tuple(shape)} voxels"
        )
    return corners


def crop(volume: np.ndarray, corner: Triple, shape: Triple) -> np.ndarray:
    """Cuts a patch out of a volume.

    Args:
        volume: `(x, y, z)`.
        corner: first voxel.
        shape: matrix size of the patch.

    Returns:
        A view of `volume`.
    """
    box = (
        slice(start, start + size) for start, size in zip(corner, shape, strict=True)
    )
    return volume[tuple(box)]
