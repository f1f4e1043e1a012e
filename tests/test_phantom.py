import numpy as np
import pytest
from scipy import ndimage

from spinet_tf.errors import InputError
from spinet_tf.metrics_regions import REGION_NAMES
from spinet_tf.phantom import SUSCEPTIBILITY, digital_head


@pytest.fixture(scope="module")
def head():
    return digital_head()


@pytest.mark.parametrize(
    ("matrix_size", "voxel_size"),
    [((40, 48, 37), (1.0, 1.0, 1.0)), ((41, 52, 22), (2.0, 1.5, 3.5))],
)
def test_any_grid(matrix_size, voxel_size):
    head = digital_head(matrix_size, voxel_size)
    for volume, dtype in (
        (head.susceptibility, np.float32),
        (head.mask, bool),
        (head.segmentation, np.uint8),
    ):
        assert volume.shape == matrix_size
        assert volume.dtype == dtype
    assert head.voxel_size == voxel_size
    # The brain fills the field of view, and leaves the border free.
    inside = np.zeros(matrix_size, bool)
    inside[1:-1, 1:-1, 1:-1] = True
    assert not head.mask[~inside].any()
    assert 0.2 < head.mask.mean() < 0.55
    assert np.isfinite(head.susceptibility).all()


def test_scales_with_the_field_of_view_and_keeps_its_proportions():
    def extent(head):
        corners = [(i.min(), i.max()) for i in np.nonzero(head.mask)]
        return [
            (b - a + 1) * d for (a, b), d in zip(corners, head.voxel_size, strict=True)
        ]

    small = digital_head((48, 56, 40), (1.0, 1.0, 1.0))
    large = digital_head((48, 28, 60), (2.0, 4.0, 8 / 6))
    # The same field of view, doubled: the extents double but for a voxel at each end.
    difference = np.abs(np.subtract(extent(large), np.multiply(2, extent(small))))
    assert (difference <= 2 * np.array(large.voxel_size)).all()
    assert (np.array(extent(small)) > 20).all()


def test_is_deterministic(head):
    again = digital_head()
    np.testing.assert_array_equal(again.susceptibility, head.susceptibility)
    np.testing.assert_array_equal(again.segmentation, head.segmentation)


def test_has_every_region_with_its_value(head):
    assert set(np.unique(head.segmentation)) == {0, *SUSCEPTIBILITY}
    assert set(SUSCEPTIBILITY) <= set(REGION_NAMES)
    for label, value in SUSCEPTIBILITY.items():
        region = head.segmentation == label
        assert region.sum() >= 30, REGION_NAMES[label]
        pure = np.isclose(head.susceptibility[region], value, atol=1e-4)
        assert pure.mean() > 0.05, REGION_NAMES[label]


def test_is_zero_outside_the_mask_and_nowhere_else_unlabelled(head):
    assert not head.susceptibility[~head.mask].any()
    np.testing.assert_array_equal(head.segmentation > 0, head.mask)


def test_mask_is_one_piece_without_holes(head):
    assert ndimage.label(head.mask)[1] == 1
    assert (ndimage.binary_fill_holes(head.mask) == head.mask).all()


def test_nuclei_lie_where_they_should(head):
    centres = {
        label: np.array(ndimage.center_of_mass(head.segmentation == label))
        for label in (1, 2, 3, 5, 7)
    }
    caudate, pallidus, putamen, dentate, thalamus = centres.values()
    middle = (np.array(head.mask.shape) - 1) / 2
    for centre in centres.values():
        assert abs(centre[0] - middle[0]) < 1.5  # both sides, alike
    assert caudate[1] > pallidus[1] > thalamus[1] > dentate[1]  # front to back
    assert caudate[2] > putamen[2] > dentate[2]  # top to bottom


def test_edges_are_smooth(head):
    values = list(SUSCEPTIBILITY.values())
    between = [~np.isclose(head.susceptibility, v, atol=1e-4) for v in values]
    partial = np.logical_and.reduce(between)[head.mask]
    assert 0.2 < partial.mean() < 0.8


def test_is_frozen(head):
    with pytest.raises(AttributeError):
        head.mask = None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((7, 40, 40),), r"matrix size: .*got \(7, 40, 40\)"),
        (((40, 40),), r"matrix size: .*got \(40, 40\)"),
        (((40, 40, 40), (1, 0, 1)), r"voxel size: .*got \(1, 0, 1\)"),
        (((40, 40, 40), (1, 1, np.inf)), r"voxel size: .*got \(1, 1, inf\)"),
        (((40, 40, 40), (1, 1, np.nan)), r"voxel size: .*got \(1, 1, nan\)"),
        (((8, 8, 8), (1, 1, 100)), r"voxel size: no voxel .*got \(1, 1, 100\)"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        digital_head(*arguments)
