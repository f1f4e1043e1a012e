"""Grids that an axis swap, a parity slip or an isotropic shortcut cannot survive."""

import numpy as np

# matrix size, voxel sizes [mm] and B0 directions of a batch of two
GRIDS = {
    "even": ((8, 6, 10), ((1.0, 1.0, 1.0), (0.7, 1.3, 2.0))),
    "odd": ((7, 5, 9), ((1.0, 1.0, 1.0), (0.7, 1.3, 2.0))),
    "mixed": ((8, 7, 6), ((0.9, 0.9, 3.0), (2.0, 1.0, 0.5))),
}
B0_DIRECTIONS = ((0.0, 0.0, 1.0), (0.36, -0.48, 0.8))


def geometry(name, dtype=np.float64):
    """Matrix size, voxel sizes `(2, 3)` and B0 directions `(2, 3)` of a grid."""
    size, voxel_sizes = GRIDS[name]
    return size, np.array(voxel_sizes, dtype), np.array(B0_DIRECTIONS, dtype)


def random_volume(rng, size, channels=1, batch=2, dtype=np.float64):
    return rng.standard_normal((batch, *size, channels)).astype(dtype)
