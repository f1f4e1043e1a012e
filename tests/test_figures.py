import numpy as np
import pytest
from matplotlib import image

from spinet_tf.errors import InputError
from spinet_tf.figures import draw_three_planes, three_planes

SHAPE = (12, 9, 7)
VOXEL_SIZE = (1.0, 1.5, 2.0)
WHOLE = np.ones(SHAPE)


def planes(volumes, mask=WHOLE, window=(-0.1, 0.1)):
    figure = draw_three_planes(volumes, mask, VOXEL_SIZE, window)
    panels = [axes for axes in figure.axes if axes.images]
    return figure, np.reshape(panels, (len(volumes), 3))


def test_planes_are_axial_coronal_sagittal():
    volume = np.arange(np.prod(SHAPE), dtype=float).reshape(SHAPE)
    _, panels = planes({"map": volume})
    expected = volume[:, :, 3].T, volume[:, 4, :].T, volume[6].T
    for panel, plane in zip(panels[0], expected, strict=True):
        np.testing.assert_array_equal(panel.images[0].get_array(), plane)
        assert panel.images[0].origin == "lower"
    assert [p.get_title() for p in panels[0]] == ["axial", "coronal", "sagittal"]


def test_left_and_right_are_named_where_they_are_known():
    for sides, expected in (("", 3 * [[]]), ("LR", [["L", "R"], ["L", "R"], []])):
        figure = draw_three_planes({"map": WHOLE}, WHOLE, VOXEL_SIZE, sides=sides)
        named = [panel.texts for panel in figure.axes[:3]]
        assert [[text.get_text() for text in texts] for texts in named] == expected
        for left, right in filter(None, named):
            assert (left.get_position()[0], right.get_position()[0]) == (0, 1)
            assert left.get_path_effects() and right.get_path_effects()  # on white


def test_aspect_follows_the_voxel_size():
    _, panels = planes({"map": np.zeros(SHAPE)})
    expected = (12 * 1.0, 9 * 1.5), (12 * 1.0, 7 * 2.0), (9 * 1.5, 7 * 2.0)
    for panel, (width, height) in zip(panels[0], expected, strict=True):
        left, right, bottom, top = panel.images[0].get_extent()
        assert (right - left, top - bottom) == pytest.approx((width, height))
        assert panel.get_aspect() == 1
        assert panel.get_ylim() == (0, 14)


def test_planes_go_through_the_middle_of_the_mask():
    shape = (30, 28, 26)
    mask = np.zeros(shape)
    mask[10:15, 20:22, 5:8] = 1
    volume = np.random.default_rng(0).standard_normal(shape)
    _, panels = planes({"map": volume}, mask)
    shown = volume[7:18, 17:25, 2:11]
    for panel, plane in zip(
        panels[0], (volume[7:18, 17:25, 6], shown[:, 4], shown[5]), strict=True
    ):
        np.testing.assert_array_equal(panel.images[0].get_array(), plane.T)


def test_rows_share_the_window_and_a_colour_bar():
    volumes = {"map": np.zeros(SHAPE), "reference": np.ones(SHAPE)}
    volumes["error"] = volumes["map"] - volumes["reference"]
    figure, panels = planes(volumes, window=(-0.2, 0.3))
    assert [row[0].get_ylabel() for row in panels] == list(volumes)
    assert {p.images[0].get_clim() for p in panels.ravel()} == {(-0.2, 0.3)}
    assert [axes.get_ylabel() for axes in figure.axes].count("ppm") == 1


def test_picture_is_grey_at_zero_and_white_above_the_window(tmp_path):
    volume = np.zeros(SHAPE)
    volume[2:10, 2:7, 1:6] = 0.5
    three_planes(tmp_path / "map.png", {"map": volume}, WHOLE, VOXEL_SIZE)
    assert [p.name for p in tmp_path.iterdir()] == ["map.png"]
    pixels = image.imread(tmp_path / "map.png")[..., :3]
    middle_row = pixels[pixels.shape[0] // 2]
    grey = np.isclose(middle_row, 0.5, atol=0.01).all(-1)
    assert grey.mean() > 0.1
    assert (middle_row == 1).all(-1).mean() > 0.3


def test_an_existing_file_is_replaced(tmp_path):
    path = tmp_path / "map.pdf"
    path.write_text("old")
    three_planes(str(path), {"map": np.zeros(SHAPE)}, WHOLE, VOXEL_SIZE)
    assert path.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("name", "volumes", "mask", "message"),
    [
        (
            "a.png",
            {"a": np.zeros((3, 4, 5)), "b": np.zeros((3, 4, 4))},
            WHOLE,
            "b: ",
        ),
        ("a.png", {"a": np.zeros((3, 4))}, WHOLE, r"a: .*three axes"),
        ("a.png", {"a": np.zeros(SHAPE)}, np.ones((2, 2, 2)), "mask: expected"),
        ("a.png", {"a": np.zeros(SHAPE)}, np.zeros(SHAPE), "mask: .*no voxel"),
        ("a.nii", {"a": np.zeros(SHAPE)}, WHOLE, "a.nii: .*suffix"),
        ("a", {"a": np.zeros(SHAPE)}, WHOLE, "a: .*suffix"),
        ("absent/a.png", {"a": np.zeros(SHAPE)}, WHOLE, "cannot be written"),
    ],
)
def test_wrong_input_is_named_and_leaves_no_file(
    tmp_path, name, volumes, mask, message
):
    with pytest.raises(InputError, match=message):
        three_planes(tmp_path / name, volumes, mask, VOXEL_SIZE)
    assert not list(tmp_path.iterdir())
