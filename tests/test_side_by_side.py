"""The picture of several maps beside each other."""

import numpy as np

from spinet_tf.side_by_side import draw_side_by_side
from tests.command_line import SHAPE


def test_the_planes_of_the_picture_are_what_they_are_called():
    volume = np.random.default_rng(0).standard_normal(SHAPE)
    figure = draw_side_by_side({"a": volume}, 0 * volume, np.ones(SHAPE), (1, 1, 2))
    grid = np.reshape(figure.axes[:12], (6, 2))[::2]
    planes = {
        "axial": volume[:, :, 8],
        "coronal": volume[:, 10],
        "sagittal": volume[9],
    }
    for row, (name, plane) in zip(grid, planes.items(), strict=True):
        (shown,) = row[1].get_images()
        assert (row[0].get_ylabel(), shown.origin) == (name, "lower")
        np.testing.assert_array_equal(shown.get_array(), plane.T)
