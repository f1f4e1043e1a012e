"""The picture of several maps beside each other."""

import numpy as np

from spinet_tf.side_by_side import draw_maps, draw_side_by_side
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


def test_one_map_is_in_rows_with_the_reference_and_its_error():
    chi, truth = np.random.default_rng(0).standard_normal((2, *SHAPE))
    figure = draw_maps({"a": chi}, truth, np.ones(SHAPE), (1, 1, 2))
    rows = {"reconstruction": chi, "reference": truth, "error": chi - truth}
    grid = np.reshape(figure.axes[:9], (3, 3))
    for panels, (name, volume) in zip(grid, rows.items(), strict=True):
        assert panels[0].get_ylabel() == name
        for panel, plane in zip(
            panels, (volume[:, :, 8], volume[:, 10], volume[9]), strict=True
        ):
            (shown,) = panel.get_images()
            np.testing.assert_array_equal(shown.get_array(), plane.T)
            assert shown.get_clim() == (-0.1, 0.1)
