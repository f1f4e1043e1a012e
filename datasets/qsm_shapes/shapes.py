"""Maps of spheres, ellipsoids and cuboids: sources without anatomy."""

import numpy as np
from scipy.spatial.transform import Rotation


def random_shapes(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Fills a volume with overlapping solids of random place, turn, size and value.

    The idea is DeepQSM's: a network that learns the dipole inversion on simple solids
    (Bollmann et al., NeuroImage 2019;195:373-383,
    doi 10.1016/j.neuroimage.2019.03.060).

    Args:
        rng: the source of all randomness: the same state, the same map.
        shape: matrix size.

    Returns:
        float32 array of `shape`, susceptibility [ppm] with zero mean.
    """
    susceptibility = np.zeros(shape, np.float32)
    strength = rng.uniform(0.02, 0.08)
    for _ in range(rng.integers(20, 81)):
        _add_solid(rng, susceptibility, rng.normal(0, strength))
    return susceptibility - susceptibility.mean()


def _add_solid(rng: np.random.Generator, susceptibility: np.ndarray, value: float):
    """Adds a solid to a map in place; where solids overlap, their values add up."""
    kind = rng.choice(("sphere", "ellipsoid", "cuboid"))
    largest = min(susceptibility.shape) / 4
    half_axes = np.exp(rng.uniform(np.log(1.0), np.log(max(largest, 1.5)), 3))
    if kind == "sphere":
        half_axes[:] = half_axes[0]
    centre = rng.uniform(0, susceptibility.shape)
    reach = np.linalg.norm(half_axes) + 1
    low = np.clip(np.floor(centre - reach), 0, None).astype(int)
    high = np.clip(np.ceil(centre + reach), None, susceptibility.shape).astype(int)
    box = tuple(map(slice, low, high))
    turn = Rotation.random(random_state=rng).as_matrix()
    unit = (np.stack(np.mgrid[box], -1) - centre) @ turn / half_axes
    norm = np.inf if kind == "cuboid" else 2
    radius = np.linalg.norm(unit, ord=norm, axis=-1)
    # A border one voxel wide stands for the partial volume.
    fraction = np.clip((1 - radius) * half_axes.min() + 0.5, 0, 1)
    susceptibility[box] += np.float32(value) * fraction.astype(np.float32)
