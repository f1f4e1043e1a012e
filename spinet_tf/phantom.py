"""A digital head: a brain-like susceptibility map of which the truth is known.

Everything is analytic, so the same arguments always give the same map, and any grid
can be asked for. Positions are in mm in the axes of an adult head (x to the right, y to
the front, z up, the anterior commissure near the origin); the head is scaled as a whole
to fit the field of view.
"""

import dataclasses

import numpy as np

from spinet_tf.errors import InputError
from spinet_tf.phantom_shapes import (
    blend,
    cerebellar_depth,
    cerebral_depth,
    ellipsoid,
    outer_shapes,
    tube,
)

HEAD_CENTRE = (0.0, -17.0, 7.0)
HEAD_HALF_EXTENT = (78.0, 97.0, 80.0)
CSF_HALF_WIDTH = 0.9
CORTEX_THICKNESS = 3.2

CAUDATE, PALLIDUS, PUTAMEN, RED_NUCLEUS, DENTATE, NIGRA, THALAMUS = range(1, 8)
WHITE_MATTER, GREY_MATTER, CSF, BLOOD = range(8, 12)
CALCIFICATION = 16
SUSCEPTIBILITY = {  # [ppm]
    CAUDATE: 0.05,
    PALLIDUS: 0.13,
    PUTAMEN: 0.045,
    RED_NUCLEUS: 0.10,
    DENTATE: 0.10,
    NIGRA: 0.12,
    THALAMUS: 0.01,
    WHITE_MATTER: -0.03,
    GREY_MATTER: 0.02,
    CSF: 0.0,
    BLOOD: 0.25,
    CALCIFICATION: -0.2,
}

# Label, centre [mm] and half axes [mm]; on both sides.
ELLIPSOIDS = (
    (CSF, (0, -12, 0), (1.8, 13, 9)),
    (CSF, (0, -47, -30), (7, 5, 8)),
    (THALAMUS, (11, -18, 7), (9, 14, 9)),
    (PUTAMEN, (26, 3, 1), (5.5, 17, 11)),
    (PALLIDUS, (18, -3, -1), (4.5, 10, 7)),
    (CAUDATE, (12, 16, 6), (5.5, 10, 9)),
    (NIGRA, (10, -18, -13), (5.5, 7, 3)),
    (RED_NUCLEUS, (5, -21, -8), (3.6, 3.6, 4)),
    (DENTATE, (14, -58, -34), (6, 9, 4.5)),
)
# Label, radius [mm] and the points [mm] of a curve; on both sides.
VENTRICLE = ((10, 30, 6), (8, 18, 13), (9, 2, 20), (14, -20, 21), (25, -38, 16))
TUBES = (
    (CSF, 5.5, VENTRICLE),
    (CSF, 4.0, ((25, -38, 16), (33, -34, 0), (33, -16, -14))),
    (CSF, 3.5, ((25, -38, 16), (27, -58, 12), (26, -70, 10))),
    (CAUDATE, 2.5, ((14, 14, 14), (15, 0, 19), (19, -18, 20), (28, -30, 14))),
    (BLOOD, 1.4, ((4, 20, 8), (3, 4, 12), (2, -20, 13), (0, -38, 10))),
    (BLOOD, 1.2, ((19, 18, 18), (18, 4, 20), (10, 3, 16), (3, 4, 12))),
    (BLOOD, 1.2, ((10, -26, -16), (14, -34, -6), (6, -40, 4), (0, -38, 10))),
    (BLOOD, 2.0, ((0, -38, 10), (0, -50, 10), (0, -72, 2))),
    (BLOOD, 1.4, ((58, -4, 40), (44, -12, 60), (22, -18, 70), (3, -22, 76))),
    (BLOOD, 1.3, ((50, 34, 30), (34, 36, 50), (16, 32, 62), (3, 26, 68))),
    (BLOOD, 1.3, ((56, -54, 24), (44, -60, 48), (20, -62, 62), (3, -60, 67))),
    (BLOOD, 1.2, ((62, -6, 4), (48, 2, -2), (40, 12, -6), (28, 12, -14))),
)
CALCIFICATION_CENTRE, CALCIFICATION_RADIUS = (31, 30, 22), 4.5


@dataclasses.dataclass(frozen=True)
class DigitalHead:
    """A head made of numbers.

    Attributes:
        susceptibility: float32 `(x, y, z)` [ppm], 0 outside the mask.
        mask: bool `(x, y, z)`, the brain.
        segmentation: uint8 `(x, y, z)`, the region that fills most of a voxel, with
            the labels of `spinet_tf.metrics_regions.REGION_NAMES`; 0 outside the mask.
        voxel_size: three floats [mm].
    """

    susceptibility: np.ndarray
    mask: np.ndarray
    segmentation: np.ndarray
    voxel_size: tuple[float, float, float]


def digital_head(matrix_size=(96, 112, 80), voxel_size=(1.0, 1.0, 1.0)):
    """Susceptibility map of a brain with folded cortex, nuclei, veins, calcification.

    Args:
        matrix_size: three integers, voxels along x, y and z. Defaults to a coarse
            grid that is quick to invert.
        voxel_size: three floats [mm]. Defaults to 1 mm in each direction.

    Returns:
        A `DigitalHead`.

    Raises:
        InputError: if a direction has fewer than 8 voxels, or a voxel size is not
            positive, or no voxel lies in the head.
    """
    if len(matrix_size) != 3 or min(matrix_size) < 8:
        raise InputError(
            f"matrix size: expected three numbers of at least 8, got {matrix_size}"
        )
    if len(voxel_size) != 3 or not all(0 < edge < np.inf for edge in voxel_size):
        raise InputError(
            f"voxel size: expected three positive numbers [mm], got {voxel_size}"
        )
    field_of_view = np.multiply(matrix_size, voxel_size)
    scale = (field_of_view / 2 / HEAD_HALF_EXTENT).min()
    spacing = np.divide(voxel_size, scale)
    axes = [
        (np.arange(n) - (n - 1) / 2) * d + centre
        for n, d, centre in zip(matrix_size, spacing, HEAD_CENTRE, strict=True)
    ]
    points = np.meshgrid(*axes, indexing="ij", sparse=True)
    folded = [np.abs(points[0]), *points[1:]]
    blur = spacing.mean()

    cerebrum, cerebellum, brainstem = outer_shapes(folded)
    mask = blend(cerebrum, cerebellum, brainstem) < 0
    if not mask.any():
        raise InputError(
            f"voxel size: no voxel of {matrix_size} lies in the head, got {voxel_size}"
        )
    susceptibility = np.full(mask.shape, SUSCEPTIBILITY[CSF])
    segmentation = np.full(mask.shape, CSF, np.uint8)

    def paint(label, distance):
        fraction = np.clip(0.5 - distance / blur, 0, 1)
        susceptibility[...] += fraction * (SUSCEPTIBILITY[label] - susceptibility)
        segmentation[fraction > 0.5] = label

    for depth in (
        cerebral_depth(points, spacing, cerebrum, cerebellum),
        cerebellar_depth(points, cerebellum),
    ):
        paint(GREY_MATTER, CSF_HALF_WIDTH - depth)
        paint(WHITE_MATTER, CSF_HALF_WIDTH + CORTEX_THICKNESS - depth)
    paint(WHITE_MATTER, brainstem + CSF_HALF_WIDTH)
    for label, centre, half_axes in ELLIPSOIDS:
        paint(label, ellipsoid(folded, centre, half_axes))
    for label, radius, curve in TUBES:
        paint(label, tube(folded, curve, radius, blur))
    paint(
        CALCIFICATION,
        ellipsoid(points, CALCIFICATION_CENTRE, 3 * (CALCIFICATION_RADIUS,)),
    )
    return DigitalHead(
        susceptibility=np.where(mask, susceptibility, 0).astype(np.float32),
        mask=mask,
        segmentation=np.where(mask, segmentation, 0).astype(np.uint8),
        voxel_size=tuple(float(d) for d in voxel_size),
    )
