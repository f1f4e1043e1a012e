"""The picture of several maps beside each other."""

import itertools

import numpy as np
import pytest

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


@pytest.mark.parametrize("count", [1, 2])
def test_left_and_right_are_named_once_a_plane(count):
    volume = np.random.default_rng(0).standard_normal(SHAPE)
    maps = dict.fromkeys("ab"[:count], volume)
    figure = draw_maps(maps, 0 * volume, np.ones(SHAPE), (1, 1, 2), "LR")
    texts = [[text.get_text() for text in panel.texts] for panel in figure.axes]
    assert [text for text in texts if text] == 2 * [["L", "R"]]


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


def names_overlap(figure):
    figure.draw_without_rendering()
    texts = [
        text.get_window_extent()
        for axes in figure.axes
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label)
        if text.get_text()
    ]
    return any(one.overlaps(other) for one, other in itertools.combinations(texts, 2))


@pytest.mark.parametrize("shape", [(60, 60, 4), (10, 20, 90)])
@pytest.mark.parametrize("names", ["a", "ab"])
def test_slabs_and_towers_have_room_for_names(names, shape):
    volume = np.zeros(shape)
    maps = dict.fromkeys(names, volume)
    figure = draw_maps(maps, volume, np.ones(shape), (1, 1, 1))
    assert not names_overlap(figure)
    assert max(figure.get_size_inches()) < 13


def test_long_names_are_in_lines_and_colour_bars_thin():
    volume = np.zeros(SHAPE)
    names = [f"sub-01_ses-1_acq-{end}_run-01_desc-spinet_Chimap" for end in "abcdef"]
    maps = dict.fromkeys([*names, "Tikhonov of weight 0.01, padded by 20 mm"], volume)
    figure = draw_side_by_side(maps, volume, np.ones(SHAPE), (1, 1, 2))
    assert not names_overlap(figure)
    *panels, error_bar, map_bar = (
        axes.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
        for axes in figure.axes
    )
    assert max(error_bar.height, map_bar.height) < 0.2
    assert 0 < min(panel.y0 for panel in panels) - map_bar.y1 < 0.5
