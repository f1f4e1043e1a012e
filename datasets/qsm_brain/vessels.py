"""Veins: the named deep ones at their places, and random trees of small ones."""

import numpy as np
from scipy import ndimage

from .deformation import View
from .random_fields import log_uniform
from .tissues import Tissues
from .tubes import draw_tubes

_STEP = 0.7  # voxels between the points of a tube

# Named veins as polylines in MNI space [mm] with a radius range [mm]; those off the
# midline exist on both sides.
_DEEP_VEINS = (
    (((3, 1, 14), (3, -14, 15), (3, -28, 11), (1, -38, 8)), (0.7, 1.5)),
    (((0, -38, 8), (0, -45, 12), (0, -56, 9)), (1.2, 2.8)),
    (((0, -55, 9), (0, -75, 2), (0, -90, -5)), (1.0, 2.5)),
    (
        ((12, -4, -19), (18, -15, -13), (14, -28, -6), (5, -38, 2), (0, -41, 8)),
        (0.5, 1.2),
    ),
    (((22, -22, 23), (17, -8, 20), (11, 0, 17), (4, 1, 14)), (0.4, 0.9)),
    (((6, 27, 12), (4, 14, 16), (3, 1, 14)), (0.3, 0.8)),
    (
        (
            (0, 36, 18), (0, 25, 31), (0, 0, 38),
            (0, -25, 35), (0, -41, 20), (0, -45, 12),
        ),
        (0.4, 1.2),
    ),
    (
        (
            (0, 69, 0), (0, 66, 25), (0, 52, 47), (0, 30, 64), (0, 0, 75), (0, -25, 80),
            (0, -55, 73), (0, -80, 53), (0, -95, 32), (0, -103, 8),
        ),
        (1.0, 3.0),
    ),
    (((0, -97, -5), (20, -94, -14), (45, -72, -26), (56, -50, -26)), (1.0, 3.0)),
)  # fmt: skip


def draw_vessels(
    rng: np.random.Generator, view: View, tissues: Tissues
) -> tuple[np.ndarray, np.ndarray]:
    """Draws all vessels of a view.

    Args:
        rng: the source of randomness.
        view: where each voxel looks.
        tissues: the tissue fractions there.

    Returns:
        (fraction, susceptibility): float32 `(x, y, z)`; the fraction 0..1 of each
        voxel that blood fills and the blood's susceptibility [ppm].
    """
    blood = rng.uniform(0.06, 0.33)
    tubes = [_deep_veins(rng, view, blood)]
    brain_volume = tissues.brain.sum() * np.prod(view.voxel_size) / 1000  # cm^3
    for kind, (low, high) in {"pial": (0.08, 0.9), "medullary": (0.02, 0.5)}.items():
        count = 2 + rng.poisson(log_uniform(rng, low, high) * brain_volume)
        tubes.append(_small_veins(rng, view, tissues, kind, count, blood))
    points, radii, values = (np.concatenate(part) for part in zip(*tubes, strict=True))
    return draw_tubes(view.shape, points, radii, values)


def _deep_veins(rng: np.random.Generator, view: View, blood: float):
    points, radii, values = [np.zeros((0, 3))], [np.zeros(0)], [np.zeros(0)]
    for line, radius_range in _DEEP_VEINS:
        line = np.array(line, float)
        for side in (1, -1) if line[:, 0].any() else (1,):
            if rng.random() < 0.2:
                continue
            nodes = line * (side, 1, 1) + rng.normal(0, 1.2, line.shape)
            path = _smooth_path(nodes, 0.4 * _STEP * view.voxel_size.min())
            voxels = view.to_voxels(path)
            near = np.all((voxels > -8) & (voxels < np.array(view.shape) + 8), axis=1)
            radius = rng.uniform(*radius_range) / view.scale
            along = 1 + 0.2 * np.sin(np.linspace(0, rng.uniform(2, 9), len(path)))
            points.append(voxels[near])
            radii.append((radius * along)[near])
            values.append(np.full(near.sum(), blood * rng.uniform(0.85, 1.15)))
    return np.concatenate(points), np.concatenate(radii), np.concatenate(values)


def _smooth_path(nodes: np.ndarray, step: float) -> np.ndarray:
    """Points `step` apart (in the units of `nodes`) along a smoothed polyline."""
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(nodes, axis=0), axis=1))]
    at = np.linspace(0, length[-1], max(2, int(length[-1] / step)))
    path = np.stack([np.interp(at, length, column) for column in nodes.T], 1)
    return ndimage.gaussian_filter1d(path, 3.0 / step, axis=0, mode="nearest")


def _small_veins(
    rng, view: View, tissues: Tissues, kind: str, count: int, blood: float
):
    """Random walks that branch once: pial ones in the sulci, medullary ones in WM."""
    if kind == "pial":
        where = np.where(tissues.brain, tissues.csf + 0.1 * tissues.grey, 0.0)
        start = _scatter(rng, where, count)
        heading = rng.standard_normal((count, 3))
        radius = log_uniform(rng, 0.12, 0.75, count)
        radius[rng.random(count) < 0.08] *= 2.0
        persistence = rng.uniform(8, 40) / view.scale
        pull = rng.uniform(0, 2, count)
    else:
        where = np.where(tissues.brain, tissues.white, 0.0)
        start = _scatter(rng, where, count)
        heading = _towards_ventricles(view, start)
        heading += 0.35 * rng.standard_normal((count, 3))
        radius = log_uniform(rng, 0.1, 0.4, count)
        persistence = rng.uniform(20, 80) / view.scale
        pull = np.zeros(count)
    value = blood * np.exp(rng.normal(0, 0.15, count))
    # Some arteries among them: oxygenated blood is near zero or slightly negative.
    value[rng.random(count) < 0.08] = rng.uniform(-0.06, 0.02)
    length = log_uniform(rng, 6, 50, count) / view.scale

    smooth = ndimage.gaussian_filter(where.astype(np.float32), 1.2, truncate=2.5)
    slope = np.stack(np.gradient(smooth), -1)
    stem = _walk(rng, start, heading, length, persistence, pull, slope)
    # One branch a vessel, from somewhere on it, thinner and turned away.
    at = (rng.random(count) * stem[1].sum(0)).astype(int)
    fork = stem[0][at, np.arange(count)]
    heading = heading + rng.standard_normal((count, 3))
    branch = _walk(rng, fork, heading, 0.6 * length, persistence, pull, slope)
    points, radii, values = [], [], []
    for (path, alive), shrink in ((stem, 1.0), (branch, 0.65)):
        taper = np.linspace(1.1, 0.7, len(path))[:, None]
        points.append(path[alive])
        radii.append((shrink * radius / view.scale * taper)[alive])
        values.append(np.broadcast_to(value, alive.shape)[alive])
    return np.concatenate(points), np.concatenate(radii), np.concatenate(values)


def _scatter(rng, density: np.ndarray, count: int) -> np.ndarray:
    """`(count, 3)` positions [voxels] drawn in proportion to a density."""
    coarse = density[::2, ::2, ::2]
    cumulative = np.cumsum(coarse.ravel() + 1e-6)
    chosen = np.searchsorted(cumulative, rng.random(count) * cumulative[-1])
    chosen = np.minimum(chosen, coarse.size - 1)
    corner = np.stack(np.unravel_index(chosen, coarse.shape), 1) * 2.0
    return corner + rng.uniform(0, 2, corner.shape)


def _towards_ventricles(view: View, start: np.ndarray) -> np.ndarray:
    """Unit vectors to the nearer lateral ventricle, where medullary veins drain."""
    ventricles = view.to_voxels(np.array([[20.0, -15, 20], [-20, -15, 20]]))
    nearest = np.linalg.norm(start[:, None] - ventricles, axis=2).argmin(1)
    towards = ventricles[nearest] - start
    return towards / np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1.0)


def _walk(rng, start, heading, length, persistence, pull, slope):
    """Walks all vessels at once.

    Returns:
        (path, alive): `(steps, count, 3)` positions [voxels] and bool
        `(steps, count)`, false after a vessel's end.
    """
    steps = max(2, int(length.max() / _STEP))
    position = start.copy()
    heading = heading / np.linalg.norm(heading, axis=1, keepdims=True)
    wobble = np.sqrt(2 * _STEP / persistence)
    path = np.empty((steps, *start.shape))
    limit = np.array(slope.shape[:3]) - 1
    for step in range(steps):
        path[step] = position
        nearest = np.clip(np.rint(position), 0, limit).astype(int)
        heading = heading + pull[:, None] * slope[tuple(nearest.T)]
        heading = heading + wobble * rng.standard_normal(heading.shape)
        heading /= np.linalg.norm(heading, axis=1, keepdims=True)
        position = position + _STEP * heading
    alive = np.arange(steps)[:, None] * _STEP < length
    return path, alive
