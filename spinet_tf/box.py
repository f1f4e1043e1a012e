"""Boxes of voxels, as numpy integers."""

from typing import NamedTuple

import numpy as np


class Box(NamedTuple):
    """Voxels from `low` to before `high`; it is empty where `high` is not above `low`.

    Attributes:
        low: int array `(3,)`.
        high: int array `(3,)`.
    """

    low: np.ndarray
    high: np.ndarray

    @property
    def edges(self):
        """Voxels along each axis, int array `(3,)`."""
        return np.maximum(self.high - self.low, 0)

    @property
    def slices(self):
        """Three slices, to index a volume with."""
        return tuple(slice(*ends) for ends in zip(self.low, self.high, strict=True))

    def dilated(self, reach):
        """The box with `reach` more voxels on every side."""
        return Box(self.low - reach, self.high + reach)

    def intersection(self, *others):
        """What is in this box and in all others."""
        boxes = (self, *others)
        low = np.max([box.low for box in boxes], axis=0)
        return Box(low, np.min([box.high for box in boxes], axis=0))

    def split(self, counts):
        """Boxes that make up this one, `counts` along each axis, of equal size."""
        steps = [
            np.linspace(low, high, count + 1).astype(int)
            for low, high, count in zip(self.low, self.high, counts, strict=True)
        ]
        for index in np.ndindex(*counts):
            low = [ends[i] for ends, i in zip(steps, index, strict=True)]
            high = [ends[i + 1] for ends, i in zip(steps, index, strict=True)]
            yield Box(np.array(low), np.array(high))


def whole(matrix_size):
    """The box of a whole volume of this size."""
    return Box(np.zeros(3, int), np.array(matrix_size, int))


def bounding_box(mask):
    """The smallest box that has all of a mask `(x, y, z)`; empty for an empty one."""
    low, high = np.zeros((2, 3), int)
    for axis in range(3):
        others = tuple(i for i in range(3) if i != axis)
        inside = np.flatnonzero(np.any(mask, axis=others))
        if inside.size:
            low[axis], high[axis] = inside[0], inside[-1] + 1
    return Box(low, high)
