"""Shapes of the digital head, as signed distances [mm] that are negative inside.

`points` are positions [mm] on an open grid: three arrays `(x, 1, 1)`, `(1, y, 1)` and
`(1, 1, z)`, which broadcast to the volume.
"""

import numpy as np
from scipy.spatial import cKDTree

SULCUS_WAVELENGTH = 33.0
SULCUS_DEPTH = 21.0
SULCUS_WAVES = 14
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
FOLIUM_SPACING = 11.0


def ellipsoid(points, centre, half_axes):
    """Approximate signed distance to an ellipsoid, negative inside."""
    offsets = [(p - c) / a for p, c, a in zip(points, centre, half_axes, strict=True)]
    radius = np.sqrt(sum(o**2 for o in offsets))
    slope = np.sqrt(sum((o / a) ** 2 for o, a in zip(offsets, half_axes, strict=True)))
    return radius * (radius - 1) / np.maximum(slope, 1e-6)


def tube(points, curve, radius, reach):
    """Signed distance to a tube around a curve, at most `reach`."""
    curve = np.array(curve, float)
    positions = np.linspace(0, len(curve) - 1, 60 * len(curve))
    samples = [np.interp(positions, np.arange(len(curve)), c) for c in curve.T]
    margin = radius + reach
    nearby = [
        np.flatnonzero((p.ravel() > c.min() - margin) & (p.ravel() < c.max() + margin))
        for p, c in zip(points, curve.T, strict=True)
    ]
    near = np.meshgrid(
        *(p.ravel()[n] for p, n in zip(points, nearby, strict=True)), indexing="ij"
    )
    distance = np.full(np.broadcast_shapes(*(p.shape for p in points)), reach)
    to_curve, _ = cKDTree(np.transpose(samples)).query(np.stack(near, -1))
    distance[np.ix_(*nearby)] = np.minimum(to_curve - radius, reach)
    return distance


def outer_shapes(folded):
    """Signed distances to the surfaces of cerebrum, cerebellum and brain stem."""
    hemisphere = ellipsoid(folded, (22, -17, 23), (48, 88, 55))
    temporal_lobe = ellipsoid(folded, (43, -12, -20), (25, 42, 24))
    cerebellum = ellipsoid(folded, (18, -66, -36), (34, 31, 25))
    midbrain = ellipsoid(folded, (0, -22, -10), (17, 13, 16))
    pons = ellipsoid(folded, (0, -27, -28), (15, 13, 14))
    medulla = ellipsoid(folded, (0, -36, -46), (9, 9, 18))
    return (
        blend(hemisphere, temporal_lobe),
        cerebellum,
        blend(midbrain, pons, medulla),
    )


def blend(*distances):
    """Signed distance to a union with rounded creases."""
    return -4 * np.logaddexp.reduce([-d / 4 for d in distances])


def cerebral_depth(points, spacing, cerebrum, cerebellum):
    """Distance to the nearest pial surface of the cerebrum: its hull or a fold."""
    x, y, z = points
    depth = np.minimum(-cerebrum, cerebellum - 1)

    midline = x - 1.8 * np.sin(y / 11) - 1.8 * np.sin(z / 8)
    callosum = ellipsoid((0 * x, y, z), (0, -10, 6), (1, 46, 27))
    fissure = np.hypot(midline, np.maximum(-callosum, 0))
    sylvian = np.sqrt(
        (z - 1 + 0.35 * (y + 5)) ** 2
        + np.maximum(38 - np.abs(x), 0) ** 2
        + np.maximum(np.abs(y + 4) - 30, 0) ** 2
    )
    # Sulci end at a depth that varies, and stay clear of the deep nuclei.
    nuclei = ellipsoid(points, (0, -10, 8), (38, 54, 30))
    fundus = SULCUS_DEPTH + 5 * np.sin(x / 13) * np.sin(y / 17 + z / 15)
    below_fundus = np.minimum(depth, 2 * fissure) - fundus
    beyond = np.maximum(np.maximum(below_fundus, -nuclei), 0)
    sulci = np.hypot(_sulcal_distance(points, spacing), beyond)
    return np.minimum.reduce([depth, fissure, sylvian, sulci])


def _sulcal_distance(points, spacing):
    """Distance to sheets that stand on the surface.

    They are the zeros of a sum of plane waves in all directions, taken where the ray
    from the middle of the hemisphere leaves it.
    """
    x, y, z = points
    ray = np.abs(x) - 22, y + 17, z - 18
    radius = np.sqrt(sum((r / a) ** 2 for r, a in zip(ray, (48, 88, 58), strict=True)))
    surface = [2 * np.pi / SULCUS_WAVELENGTH * r / np.maximum(radius, 0.1) for r in ray]
    asymmetry = 0.8 * np.tanh(x / 15) + 0.6 * radius
    waves = np.zeros(radius.shape)
    for i in range(SULCUS_WAVES):
        height = 1 - (2 * i + 1) / SULCUS_WAVES
        ring, angle = np.sqrt(1 - height**2), i * GOLDEN_ANGLE
        direction = ring * np.cos(angle), ring * np.sin(angle), height
        phase = sum(d * s for d, s in zip(direction, surface, strict=True))
        waves += np.cos(phase + asymmetry + 2.4 * i**2)
    slope = np.sqrt(sum(g**2 for g in np.gradient(waves, *spacing)))
    return np.abs(waves) / np.maximum(slope, 1e-3)


def cerebellar_depth(points, cerebellum):
    """Distance to the nearest pial surface of the cerebellum: its hull or a folium."""
    _, y, z = points
    radius = np.hypot(y + 44, z + 32)
    sheet = np.abs(radius % FOLIUM_SPACING - FOLIUM_SPACING / 2)
    folia = np.hypot(sheet, np.maximum(-cerebellum - 9, 0))
    return np.minimum(-cerebellum, folia)
