"""Smooth random fields: the texture and the deformations of a synthetic brain."""

import numpy as np


def _spline_matrix(rng: np.random.Generator, size: int, scale: float) -> np.ndarray:
    """Cubic B-spline weights that take coarse noise to `size` voxels.

    Rows have unit length, so white noise keeps its unit variance at every voxel.
    """
    position = np.arange(size) / scale + rng.random()
    node = position.astype(int)
    t = position - node
    weights = np.stack(
        [(1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * (t + t**2 - t**3), t**3], 1
    )
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    matrix = np.zeros((size, node[-1] + 4), np.float32)
    np.put_along_axis(matrix, node[:, None] + np.arange(4), weights, axis=1)
    return matrix


def smooth_field(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    scale: float | tuple[float, float, float],
) -> np.ndarray:
    """Gaussian random field with zero mean and unit variance.

    Args:
        rng: the source of randomness.
        shape: matrix size.
        scale: distance [voxels] of the independent knots, one number or one an axis;
            structures are about twice that wide. At least 1.

    Returns:
        float32 array of `shape`.
    """
    scales = np.maximum(np.broadcast_to(scale, 3), 1.0)
    matrices = [_spline_matrix(rng, n, s) for n, s in zip(shape, scales, strict=True)]
    coarse_shape = [matrix.shape[1] for matrix in matrices]
    field = rng.standard_normal(coarse_shape, dtype=np.float32)
    for matrix in matrices:
        # Contracts the leading axis and appends the fine one: three turns restore
        # the order of the axes.
        field = np.tensordot(field, matrix, axes=(0, 1))
    return field


def log_uniform(rng: np.random.Generator, low: float, high: float, size=None):
    """Draws from the distribution whose logarithm is uniform in [low, high]."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))
