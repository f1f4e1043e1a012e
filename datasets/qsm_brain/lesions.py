"""Calcifications, bleeds and demyelinated plaques."""

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from .deformation import View
from .random_fields import log_uniform, smooth_field


@dataclasses.dataclass(frozen=True)
class Lesion:
    """A kind of focal source.

    Attributes:
        patch_probability: how many patches hold some; heads hold them twice as often.
        count: the most of them in an example.
        radius: range [mm], log-uniform.
        susceptibility: range [ppm], log-uniform in magnitude; the larger the lesion,
            the weaker.
        softness: width of the border [voxels].
    """

    patch_probability: float
    count: int
    radius: tuple[float, float]
    susceptibility: tuple[float, float]
    softness: float


LESIONS = {
    "calcification": Lesion(0.18, 3, (0.8, 5.0), (-0.05, -0.5), 1.0),
    "bleed": Lesion(0.12, 2, (0.8, 5.0), (0.2, 1.0), 1.0),
    "microbleed": Lesion(0.1, 6, (0.5, 1.6), (0.2, 0.9), 1.0),
    "plaque": Lesion(0.1, 5, (1.5, 6.0), (0.01, 0.05), 2.5),
}


def add_lesions(
    rng: np.random.Generator,
    view: View,
    brain: np.ndarray,
    susceptibility: np.ndarray,
    often: float = 1.0,
) -> np.ndarray:
    """Draws lesions into a map.

    Args:
        rng: the source of randomness.
        view: where each voxel looks.
        brain: bool `(x, y, z)`; lesions are centred in it.
        susceptibility: float32 `(x, y, z)` [ppm]; changed in place.
        often: multiplies the probabilities.

    Returns:
        float32 `(x, y, z)`, the fraction 0..1 of each voxel that lesions fill.
    """
    filled = np.zeros(view.shape, np.float32)
    candidates = np.flatnonzero(brain)
    for lesion in LESIONS.values():
        if rng.random() > often * lesion.patch_probability or not candidates.size:
            continue
        for _ in range(rng.integers(1, lesion.count + 1)):
            centre = np.unravel_index(rng.choice(candidates), view.shape)
            _add_lesion(rng, view, lesion, np.array(centre), susceptibility, filled)
    return filled


def _add_lesion(rng, view, lesion, centre, susceptibility, filled):
    radius = log_uniform(rng, *lesion.radius)
    low, high = lesion.susceptibility
    value = np.sign(low) * log_uniform(rng, abs(low), abs(high))
    if radius > 2:
        value *= (2 / radius) ** rng.uniform(0.3, 1.0)
    semi_axes = radius * np.exp(rng.normal(0, 0.25, 3))
    reach = np.ceil(semi_axes.max() * 1.6 / view.voxel_size + 2).astype(int)
    low_corner = np.maximum(centre - reach, 0)
    high_corner = np.minimum(centre + reach + 1, view.shape)
    box = tuple(map(slice, low_corner, high_corner))
    shape = filled[box].shape
    offset = np.stack(np.mgrid[box], -1) - centre
    turn = Rotation.random(random_state=rng).as_matrix()
    distance = np.linalg.norm(offset * view.voxel_size @ turn / semi_axes, axis=-1)
    rough = smooth_field(rng, shape, max(1.5, 0.6 * radius / view.scale))
    distance = distance * (1 + rng.uniform(0.05, 0.25) * rough)
    fraction = (1 - distance) * radius / view.scale / lesion.softness + 0.5
    fraction = np.clip(fraction, 0, 1).astype(np.float32)
    if rng.random() < 0.3:
        # A rim: the iron sits around the core.
        core = np.clip((0.65 - distance) * radius / view.scale + 0.5, 0, 1)
        fraction = fraction * (1 - rng.uniform(0.3, 0.9) * core).astype(np.float32)
    target = susceptibility[box]
    uneven = 1 + rng.uniform(0, 0.25) * smooth_field(rng, shape, 1.5)
    target += fraction * (np.float32(value) * uneven - target)
    np.maximum(filled[box], fraction, out=filled[box])
