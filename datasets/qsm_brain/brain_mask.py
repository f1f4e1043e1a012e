"""The brain mask as processing leaves it: eroded by some voxels, with rough edges."""

import numpy as np
from scipy import ndimage

from .deformation import View
from .random_fields import smooth_field


def random_mask(rng: np.random.Generator, view: View, brain: np.ndarray) -> np.ndarray:
    """Erodes a brain by 0..4 voxels, unevenly, sometimes deeply in places.

    Args:
        rng: the source of randomness.
        view: where each voxel looks.
        brain: bool `(x, y, z)`.

    Returns:
        bool `(x, y, z)`, one connected part; the edge of the grid does not erode.
    """
    if brain.all():
        return brain.copy()  # no edge in view
    depth = ndimage.distance_transform_edt(brain)
    limit = np.full(view.shape, rng.uniform(0.0, 4.0), np.float32)
    if rng.random() < 0.5:
        limit += rng.uniform(0.2, 1.5) * smooth_field(rng, view.shape, 2.0)
    if rng.random() < 0.4:
        # Signal loss near the skull base eats deeper, smooth bites.
        bite = smooth_field(rng, view.shape, 12.0 / view.scale) - rng.uniform(1.2, 2.5)
        limit += 8.0 / view.scale * np.maximum(bite, 0)
    mask = brain & (depth > limit)
    if rng.random() < 0.5:
        mask = ndimage.binary_fill_holes(mask)
    labels, count = ndimage.label(mask)
    if count > 1:
        mask = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    return mask
