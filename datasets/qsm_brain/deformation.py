"""A random view of the template: where each voxel of an example looks."""

import dataclasses

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from .random_fields import smooth_field
from .template import load_template

# Where the deep grey nuclei are (MNI, mm): patches look there more often.
_DEEP_GREY_CENTRES = np.array(
    [[13, 8, 8], [22, 0, 0], [11, -19, 5], [8, -19, -10], [15, -57, -33]], float
)
_LEAST_BRAIN = 0.35  # share of a patch
# Tries before a patch is drawn anew, and before its shape is refused. Patches of 64^3
# and less take 18 of the former at most and one of the latter.
_CENTRES, _VIEWS = 100, 50


@dataclasses.dataclass(frozen=True)
class View:
    """A voxel grid laid over the template.

    Attributes:
        shape: matrix size.
        voxel_size: float64 `(3,)`, mm of template anatomy a voxel spans, along each
            voxel axis (1 / zoom).
        matrix: float64 `(3, 3)`, voxel axes to MNI axes [mm/voxel].
        centre: float64 `(3,)`, MNI coordinate [mm] of the grid's centre.
        displacement: float32 `(3, *shape)`, what is added to the affine [mm].
    """

    shape: tuple[int, int, int]
    voxel_size: np.ndarray
    matrix: np.ndarray
    centre: np.ndarray
    displacement: np.ndarray

    @property
    def scale(self) -> float:
        """Geometric mean of the voxel sizes [mm]."""
        return float(np.prod(self.voxel_size) ** (1 / 3))

    def coordinates(self) -> np.ndarray:
        """float32 `(3, *shape)`: the MNI coordinate [mm] each voxel shows."""
        axes = [np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in self.shape]
        result = self.displacement.copy()
        for row in range(3):
            for column in range(3):
                line = axes[column] * np.float32(self.matrix[row, column])
                result[row] += line.reshape(np.roll((-1, 1, 1), column))
            result[row] += np.float32(self.centre[row])
        return result

    def to_voxels(self, points: np.ndarray) -> np.ndarray:
        """Finds the voxel positions that show given MNI coordinates.

        Args:
            points: `(n, 3)`, MNI coordinates [mm].

        Returns:
            float64 `(n, 3)`, fractional voxel indices; may lie off the grid.
        """
        half = (np.array(self.shape) - 1) / 2
        inverse = np.linalg.inv(self.matrix)
        shift = np.zeros_like(points, dtype=float)
        for _ in range(4):
            voxels = (points - self.centre - shift) @ inverse.T + half
            shift = np.stack(
                [
                    ndimage.map_coordinates(d, voxels.T, order=1, mode="nearest")
                    for d in self.displacement
                ],
                axis=1,
            )
        return voxels

    def box(self, centre: np.ndarray, radius: float) -> tuple[slice, ...] | None:
        """Slices that hold all voxels within a radius of an MNI coordinate.

        Args:
            centre: `(3,)`, MNI coordinate [mm].
            radius: mm.

        Returns:
            Three slices, or None when the box misses the grid.
        """
        middle = self.to_voxels(np.asarray(centre, float)[None])[0]
        # 1.4: the deformation may stretch the structure.
        reach = 1.4 * radius * np.linalg.norm(np.linalg.inv(self.matrix), axis=1)
        low = np.clip(np.floor(middle - reach), 0, self.shape).astype(int)
        high = np.clip(np.ceil(middle + reach) + 1, 0, self.shape).astype(int)
        if np.any(high <= low):
            return None
        return tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def _random_displacement(
    rng: np.random.Generator, shape: tuple[int, int, int], scale: float
) -> np.ndarray:
    """Multi-scale displacement [mm]; amplitudes keep it free of folds."""
    total = np.zeros((3, *shape), np.float32)
    strength = rng.uniform(0.3, 1.3)
    for knot, amplitude in ((40.0, 3.0), (16.0, 1.5), (7.0, 0.6), (3.5, 0.2)):
        amplitude *= strength * rng.uniform(0.3, 1.2)
        for component in total:
            component += np.float32(amplitude) * smooth_field(rng, shape, knot / scale)
    return total


def _random_rotation(rng: np.random.Generator, degrees: float) -> np.ndarray:
    """Rotation by angles up to `degrees`, left and right swapped half the time."""
    angles = rng.uniform(-degrees, degrees, 3)
    matrix = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return matrix * np.array([rng.choice((-1.0, 1.0)), 1.0, 1.0])


def _anisotropy(rng: np.random.Generator) -> np.ndarray:
    """Relative voxel sizes: nearly cubic, sometimes thick slices."""
    ratio = np.exp(rng.normal(0, 0.06, 3))
    if rng.random() < 0.15:
        ratio[rng.integers(3)] *= rng.uniform(1.2, 2.2)
    return ratio


def random_patch_view(rng: np.random.Generator, shape: tuple[int, int, int]) -> View:
    """A patch somewhere in the brain, magnified 0.8..1.3 (60%) or 1.3..3.2 times.

    Args:
        rng: the source of randomness.
        shape: matrix size.

    Returns:
        The view; at least 35% of it, and often all of it, is brain.

    Raises:
        ValueError: if the shape is too large for that, however magnified.
    """
    for _ in range(_VIEWS):
        zoom = rng.uniform(0.8, 1.3) if rng.random() < 0.6 else rng.uniform(1.3, 3.2)
        degrees = 180.0 if rng.random() < 0.25 else 25.0
        voxel_size = _anisotropy(rng) / zoom
        matrix = _random_rotation(rng, degrees) * voxel_size
        centre = _random_centre(rng, shape, matrix)
        if centre is not None:
            scale = float(np.prod(voxel_size) ** (1 / 3))
            displacement = _random_displacement(rng, shape, scale)
            return View(shape, voxel_size, matrix, centre, displacement)
    raise ValueError(
        f"shape: expected patches that a brain fills to {_LEAST_BRAIN:.0%}, got"
        f" {tuple(shape)}"
    )


def _random_centre(rng, shape, matrix) -> np.ndarray | None:
    """Where a patch shows brain enough; None if it seems to hold too little anywhere.

    A large one at a low magnification does: a view of 160^3 voxels of 1.25 mm is four
    times as large as the brain.
    """
    template = load_template()
    lattice = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 7)] * 3), 0)
    lattice = (lattice.reshape(3, -1).T * shape) @ matrix.T
    least_brain = rng.uniform(_LEAST_BRAIN, 1.0)
    for _ in range(_CENTRES):
        if rng.random() < 0.4:
            centre = rng.choice(_DEEP_GREY_CENTRES) * rng.choice([[-1, 1, 1], [1] * 3])
            centre = centre + rng.normal(0, 10.0, 3)
        else:
            centre = rng.choice(template.brain_points) + rng.uniform(-0.5, 0.5, 3)
        brain = template.sample(template.brain, (lattice + centre).T)
        if brain.mean() >= least_brain:
            return np.asarray(centre, float)
        least_brain = max(_LEAST_BRAIN, least_brain - 0.02)
    return None


def random_head_view(rng: np.random.Generator, shape: tuple[int, int, int]) -> View:
    """A whole head that fills most of the grid, tilted by up to 12 degrees.

    Args:
        rng: the source of randomness.
        shape: matrix size.

    Returns:
        The view; before the deformation the whole brain fits in. A strong one can
        move some of its surface off the grid.
    """
    axes = _random_rotation(rng, 12.0) * np.exp(rng.normal(0, 0.03, 3))
    if rng.random() < 0.25:
        axes[:, rng.integers(3)] *= rng.uniform(1.2, 2.0)
    extent = load_template().brain_points[::97] @ np.linalg.inv(axes).T
    margin = 6.0  # mm; few deformations move the surface by more, up to 17
    low, high = extent.min(0) - margin, extent.max(0) + margin
    scale = np.max((high - low) / np.array(shape)) * rng.uniform(1.0, 1.06)
    matrix = axes * scale
    voxel_size = np.linalg.norm(matrix, axis=0)
    displacement = _random_displacement(rng, shape, np.prod(voxel_size) ** (1 / 3))
    return View(shape, voxel_size, matrix, axes @ (low + high) / 2, displacement)
