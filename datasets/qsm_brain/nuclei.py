"""Iron-rich nuclei: simple solids at their places in MNI space, with structure."""

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from .deformation import View
from .random_fields import smooth_field


@dataclasses.dataclass(frozen=True)
class Nucleus:
    """A nucleus of the right hemisphere; the left one is its mirror image.

    Attributes:
        label: its value in the segmentation.
        parts: ellipsoids `(centre [mm], semi-axes [mm], Euler angles xyz [deg])`;
            the nucleus is their union.
        susceptibility: range of its mean [ppm].
        shell: 0 for a solid; else the relative thickness of a folded ribbon.
    """

    label: int
    parts: tuple
    susceptibility: tuple[float, float]
    shell: float = 0.0


NUCLEI = {
    "thalamus": Nucleus(4, (((11, -19, 7), (7, 13, 8), (0, 0, 25)),), (-0.01, 0.035)),
    "pulvinar": Nucleus(5, (((15, -28, 6), (6, 5, 5), (0, 0, 20)),), (0.01, 0.08)),
    "caudate": Nucleus(
        6,
        (
            ((11, 13, 4), (4.5, 6.5, 9), (15, 0, 10)),
            ((14, 3, 16), (3.5, 10, 4), (-25, 0, 15)),
            ((18, -14, 21), (2.2, 9, 2.6), (-8, 0, 20)),
        ),
        (0.02, 0.12),
    ),
    "putamen": Nucleus(
        7,
        (
            ((23, 8, -1), (5, 9, 8), (0, 0, 20)),
            ((28, -4, 2), (4, 12, 8), (0, 0, 20)),
        ),
        (0.02, 0.16),
    ),
    "pallidum_external": Nucleus(
        8, (((21, -2, 0), (2.8, 9, 6.5), (0, 0, 28)),), (0.06, 0.25)
    ),
    "pallidum_internal": Nucleus(
        9, (((16.5, -5, -2.5), (2.4, 6, 4.5), (0, 0, 38)),), (0.06, 0.25)
    ),
    "accumbens": Nucleus(10, (((9, 11, -8), (3.5, 4, 3), (0, 0, 0)),), (0.0, 0.08)),
    "subthalamic": Nucleus(
        11, (((11.5, -13, -6), (2.2, 4, 2.2), (20, 30, 35)),), (0.04, 0.2)
    ),
    "red_nucleus": Nucleus(
        12, (((5, -21, -9), (3.2, 3.4, 4), (0, 0, 0)),), (0.04, 0.2)
    ),
    "substantia_nigra": Nucleus(
        13, (((10.5, -18, -12.5), (2.2, 6.5, 4.5), (25, -25, 38)),), (0.05, 0.25)
    ),
    "dentate": Nucleus(
        14, (((15, -57, -34), (7, 9, 6), (15, 25, 30)),), (0.03, 0.2), shell=0.45
    ),
    "geniculate": Nucleus(
        15, (((23, -24, -4), (2.5, 2.5, 2.2), (0, 0, 0)),), (0.0, 0.07)
    ),
    "claustrum": Nucleus(16, (((33.5, 0, 2), (0.8, 14, 9), (0, 0, 12)),), (0.0, 0.05)),
}


def add_nuclei(
    rng: np.random.Generator,
    view: View,
    coordinates: np.ndarray,
    susceptibility: np.ndarray,
    segmentation: np.ndarray,
) -> np.ndarray:
    """Draws the nuclei into a map.

    Args:
        rng: the source of randomness.
        view: where each voxel looks.
        coordinates: float32 `(3, x, y, z)`, MNI coordinates of the voxels [mm].
        susceptibility: float32 `(x, y, z)` [ppm]; changed in place.
        segmentation: uint8 `(x, y, z)`; changed in place.

    Returns:
        float32 `(x, y, z)`, the fraction 0..1 of each voxel that nuclei fill.
    """
    filled = np.zeros(view.shape, np.float32)
    iron = rng.uniform(0.0, 1.0)  # old brains hold more iron, in all nuclei
    for nucleus in NUCLEI.values():
        low, high = nucleus.susceptibility
        level = np.clip(iron + rng.normal(0, 0.25), 0, 1.2)
        mean = low + (high - low) * level
        present = rng.random() < 0.95
        parts = [_jitter(rng, part) for part in nucleus.parts]
        for side in (1, -1):
            value = mean * rng.uniform(0.85, 1.15)
            for part in parts if present else ():
                _add_part(
                    rng, view, coordinates, nucleus, part, side, value,
                    susceptibility, segmentation, filled,
                )  # fmt: skip
    return filled


def _jitter(rng: np.random.Generator, part: tuple) -> tuple:
    centre, semi_axes, angles = (np.array(value, float) for value in part)
    centre = centre + rng.normal(0, 0.6, 3)
    semi_axes = semi_axes * np.exp(rng.normal(0, 0.12, 3))
    angles = angles + rng.normal(0, 8, 3)
    return centre, semi_axes, Rotation.from_euler("xyz", angles, degrees=True)


def _add_part(
    rng, view, coordinates, nucleus, part, side, value, susceptibility,
    segmentation, filled,
):  # fmt: skip
    centre, semi_axes, rotation = part
    mirror = np.array([side, 1, 1])
    box = view.box(centre * mirror, semi_axes.max() * 1.5)
    if box is None:
        return
    shape = filled[box].shape
    offset = coordinates[(slice(None), *box)] * mirror[:, None, None, None]
    offset = offset.reshape(3, -1).T - centre.astype(np.float32)
    unit = (offset @ rotation.as_matrix().astype(np.float32)) / semi_axes
    unit = unit.reshape(*shape, 3).astype(np.float32)
    radius = np.linalg.norm(unit, axis=-1)
    # An uneven surface: real nuclei are no ellipsoids.
    rough = smooth_field(rng, shape, max(2.0, 0.7 * semi_axes.min() / view.scale))
    radius = radius * (1 + rng.uniform(0.03, 0.12) * rough)
    thickness = semi_axes.min() / view.scale  # voxels from centre to surface
    softness = rng.uniform(1.0, 1.8)
    fraction = np.clip((1 - radius) * thickness / softness + 0.5, 0, 1)
    if nucleus.shell:
        folds = 0.25 * smooth_field(rng, shape, max(1.5, 2.5 / view.scale))
        depth = np.abs(radius - 1 + nucleus.shell / 2 + folds)
        ribbon = (nucleus.shell / 2 - depth) * thickness / softness + 0.5
        fraction = fraction * np.clip(ribbon, 0.25, 1)

    slope = rng.normal(0, 0.25, 3).astype(np.float32)
    inside = value * (1 + slope @ unit[..., None])[..., 0]
    inside = inside + abs(value) * rng.uniform(0.03, 0.2) * smooth_field(
        rng, shape, max(1.0, rng.uniform(1.0, 4.0) / view.scale)
    )
    inside = inside + abs(value) * rng.uniform(0.0, 0.12) * smooth_field(rng, shape, 1)
    target = susceptibility[box]
    target += fraction * (inside.astype(np.float32) - target)
    segmentation[box][fraction > 0.5] = nucleus.label
    np.maximum(filled[box], fraction, out=filled[box])
