"""Tubes on a voxel grid, with the partial volume of vessels thinner than a voxel."""

import numpy as np


def draw_tubes(
    shape: tuple[int, int, int],
    points: np.ndarray,
    radii: np.ndarray,
    values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Rasterises points that lie densely (under a voxel apart) along tubes.

    Args:
        shape: matrix size.
        points: `(n, 3)`, positions [voxels].
        radii: `(n,)`, tube radius at each point [voxels].
        values: `(n,)`, what the tube is filled with there.

    Returns:
        (fraction, value): float32 arrays of `shape`; the fraction 0..1 of each voxel
        that tubes fill, and the value of the tube that fills it most.
    """
    size = int(np.prod(shape))
    fraction = np.zeros(size, np.float32)
    value = np.zeros(size, np.float32)
    reach = np.ceil(np.maximum(radii, 0.5) + 0.5).astype(int)
    for r in np.unique(reach):
        chosen = reach == r
        index, cover, source = _cover(
            shape, points[chosen], radii[chosen], values[chosen], int(r)
        )
        order = np.argsort(cover, kind="stable")
        index, cover, source = index[order], cover[order], source[order]
        # Sorted by coverage, so that the last write to a voxel is the largest.
        local = np.zeros(size, np.float32)
        local[index] = cover
        filled = np.zeros(size, np.float32)
        filled[index] = source
        more = local > fraction
        fraction[more], value[more] = local[more], filled[more]
    return fraction.reshape(shape), value.reshape(shape)


def _cover(shape, points, radii, values, reach: int):
    """Flat voxel index, coverage and value of every voxel near every point."""
    near = np.all((points > -reach) & (points < np.array(shape) + reach - 1), axis=1)
    points, radii, values = points[near], radii[near], values[near]
    span = np.arange(-reach, reach + 1)
    offsets = np.stack(np.meshgrid(span, span, span, indexing="ij"), -1).reshape(-1, 3)
    base = np.rint(points).astype(int)
    voxels = base[:, None, :] + offsets[None]
    distance = np.linalg.norm(voxels - points[:, None, :], axis=-1)
    wide = np.maximum(radii, 0.5)[:, None]
    # Below half a voxel the profile keeps its width and loses height, as the
    # cross-section does.
    peak = np.minimum(1.0, (radii[:, None] / 0.5) ** 2)
    cover = np.clip(wide + 0.5 - distance, 0, 1) * peak
    keep = (cover > 0.01) & np.all((voxels >= 0) & (voxels < shape), axis=-1)
    index = np.ravel_multi_index(tuple(voxels[keep].T), shape)
    source = np.broadcast_to(values[:, None], cover.shape)[keep]
    return index, cover[keep].astype(np.float32), source
