"""White-matter tracts that myelin makes more diamagnetic than their surroundings."""

import functools

import numpy as np
from scipy import ndimage

from .template import load_template

# Polylines in MNI space [mm] of the right hemisphere, and the tract's radius [mm].
_TRACTS = {
    "optic_radiation": (
        ((24, -25, -3), (36, -32, 0), (33, -60, 5), (15, -88, 4)),
        4.0,
    ),
    "posterior_capsule": (
        ((25, -22, 25), (22, -14, 8), (17, -13, -6), (12, -18, -16)),
        3.0,
    ),
    "anterior_capsule": (((22, 22, 8), (17, 8, 5), (17, 0, 4)), 2.5),
    "splenium": (((0, -40, 14), (14, -44, 17), (28, -58, 16), (20, -80, 12)), 4.0),
    "genu": (((0, 27, 8), (12, 32, 8), (22, 42, 6)), 4.0),
    "body": (((0, 0, 26), (14, -2, 28), (24, -10, 40)), 4.0),
    "cingulum": (((8, 35, 12), (9, 10, 33), (9, -25, 36), (14, -45, 20)), 2.5),
    "peduncle": (((14, -16, -14), (7, -22, -26), (5, -28, -45)), 3.0),
}
_GRID = 2  # mm; the profiles are wider


@functools.lru_cache(maxsize=1)
def _tract_profiles() -> np.ndarray:
    """float32 `(tract, x, y, z)` on a 2 mm grid: 1 on a tract's axis, 0 far off."""
    template = load_template()
    shape = -(-np.array(template.t1.shape) // _GRID)
    profiles = []
    for line, radius in _TRACTS.values():
        line = np.array(line, float)
        at = np.linspace(0, len(line) - 1, 200)
        path = np.stack([np.interp(at, range(len(line)), c) for c in line.T], 1)
        path = np.concatenate([path, path * (-1, 1, 1)])
        index = np.rint((path + template.origin) / _GRID).astype(int)
        off_axis = np.ones(shape, bool)
        off_axis[tuple(index.T)] = False
        distance = _GRID * ndimage.distance_transform_edt(off_axis)
        profiles.append(np.exp(-0.5 * (distance / radius) ** 2))
    return np.array(profiles, np.float32)


def tract_susceptibility(
    rng: np.random.Generator, coordinates: np.ndarray, white: np.ndarray
) -> np.ndarray:
    """Susceptibility that tracts add to white matter.

    Args:
        rng: the source of randomness.
        coordinates: float32 `(3, x, y, z)`, MNI coordinates of the voxels [mm].
        white: float32 `(x, y, z)`, white-matter fraction.

    Returns:
        float32 `(x, y, z)` [ppm], mostly negative.
    """
    strengths = rng.normal(-0.018, 0.012, len(_TRACTS)).astype(np.float32)
    total = np.tensordot(strengths, _tract_profiles(), axes=1)
    origin = load_template().origin.astype(np.float32).reshape(3, 1, 1, 1)
    index = (coordinates + origin) / _GRID
    return white * ndimage.map_coordinates(total, index, output=np.float32, order=1)
