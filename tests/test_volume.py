import math

import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.volume import Volume, check_field, check_same_grid, check_same_grids

SHAPE = (7, 6, 5)


def rotation_about_x(degrees):
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])


def affine_of(rotation, voxel_size, origin=(-90.0, 12.5, 30.0)):
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.asarray(voxel_size)
    affine[:3, 3] = origin
    return affine


def volume(data=None, affine=None, name="field.nii"):
    data = np.zeros(SHAPE, np.float32) if data is None else data
    return Volume(data, affine, name, sform_code=1)


def test_b0_of_an_oblique_anisotropic_scan():
    # The scanner's z axis seen from axes turned by 20 degrees about x is turned by
    # -20 degrees: R^T z = (0, sin 20, cos 20), whatever the voxel sizes.
    oblique = volume(affine=affine_of(rotation_about_x(20), (0.7, 0.7, 3.0)))
    expected = (0, math.sin(math.radians(20)), math.cos(math.radians(20)))
    assert oblique.b0_direction == pytest.approx(expected, abs=1e-12)
    assert oblique.voxel_size == pytest.approx((0.7, 0.7, 3.0))


def test_b0_is_what_the_affine_maps_to_the_scanner_axis():
    generator = np.random.default_rng(3)
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    scan = volume(affine=affine_of(rotation, (0.5, 1.1, 2.0)))
    assert rotation @ scan.b0_direction == pytest.approx((0, 0, 1), abs=1e-12)


def test_b0_of_a_left_handed_scan():
    flip = np.diag([-1.0, 1.0, 1.0])
    scan = volume(affine=affine_of(rotation_about_x(-30) @ flip, (1, 1, 2)))
    assert scan.b0_direction == pytest.approx((0, -0.5, math.sqrt(0.75)))
    assert scan.voxel_size == pytest.approx((1, 1, 2))


def test_b0_of_a_sagittal_scan():
    # Voxel axes x, y, z lie along the scanner's y, z, x.
    permutation = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    scan = volume(affine=affine_of(permutation, (1, 2, 3)))
    assert scan.b0_direction == pytest.approx((0, 1, 0))


def test_no_affine_no_geometry():
    assert volume().voxel_size is None
    assert volume().b0_direction is None


def test_same_grid_allows_header_rounding():
    affine = affine_of(rotation_about_x(20), (0.7, 0.7, 3.0))
    check_same_grid(volume(affine=affine), volume(affine=affine.astype(np.float32)))
    check_same_grid(volume(affine=affine), volume())


def test_same_grid_refuses_another_shape():
    mask = Volume(np.ones((7, 6, 4), bool), None, "mask.nii")
    with pytest.raises(InputError) as caught:
        check_same_grid(volume(), mask)
    assert str(caught.value) == (
        "mask.nii: shape (7, 6, 4) differs from (7, 6, 5) of field.nii"
    )


def test_same_grid_refuses_another_place():
    affine = affine_of(np.eye(3), (1, 1, 2))
    shifted = affine_of(np.eye(3), (1, 1, 2), origin=(-90.0, 12.5, 30.25))
    with pytest.raises(InputError, match="mask.nii.*field.nii.* 0.25 mm apart"):
        check_same_grid(volume(affine=affine), volume(None, shifted, "mask.nii"))


def test_same_grid_sees_what_a_corner_sees():
    affine = affine_of(np.eye(3), (1, 1, 1))
    turned = affine_of(rotation_about_x(0.5), (1, 1, 1))
    # The farthest voxel is hypot(5, 4) mm from the axis: 2 sin(0.25 degrees) of it.
    with pytest.raises(InputError, match=r"0\.0559 mm apart"):
        check_same_grid(volume(affine=affine), volume(affine=turned))


def test_same_grid_without_codes_goes_by_voxel_sizes():
    placed = volume(affine=affine_of(rotation_about_x(20), (0.7, 0.7, 3.0)))
    nowhere = Volume(placed.data, np.diag([0.7, 0.7, 3.0, 1]), "chi.nii")
    check_same_grid(placed, nowhere)
    check_same_grid(nowhere, placed)
    other = Volume(placed.data, np.diag([0.7, 0.8, 3.0, 1]), "chi.nii")
    message = "chi.nii: its voxels of 0.7 x 0.8 x 3 mm are not those of field.nii, 0.7"
    with pytest.raises(InputError, match=message):
        check_same_grid(placed, other)
    assert not volume().is_placed


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_field_must_be_finite_inside_the_mask(bad):
    field = volume()
    field.data[3, 3, 3] = bad
    mask = volume(np.ones(SHAPE, bool))
    with pytest.raises(InputError, match="field.nii: 1 of 210 voxels inside the mask"):
        check_field(field, mask)


def test_field_outside_the_mask_is_set_to_zero():
    field = volume(np.full(SHAPE, 0.5, np.float32))
    field.data[0, 0, :2] = np.nan, np.inf
    mask = np.ones(SHAPE, bool)
    mask[0] = False
    with pytest.warns(UserWarning, match="field.nii: 2 voxels outside the mask"):
        checked = check_field(field, volume(mask))
    expected = np.full(SHAPE, 0.5, np.float32)
    expected[0, 0, :2] = 0
    np.testing.assert_array_equal(checked.data, expected)
    assert checked.data.dtype == np.float32


def test_finite_field_is_unchanged():
    field = volume(np.full(SHAPE, 0.5, np.float32))
    assert check_field(field, volume(np.zeros(SHAPE, bool))) is field


@pytest.mark.parametrize(
    ("sform_code", "qform_code", "known"),
    [
        (1, 0, True),
        (2, 0, True),
        (0, 1, True),
        (4, 1, True),
        (4, 2, True),
        (4, 0, False),
        (0, 0, False),
    ],
)
def test_scanner_axes_are_known_from_the_codes(sform_code, qform_code, known):
    data = np.zeros((2, 3, 4), np.float32)
    volume = Volume(data, np.eye(4), "a.nii", sform_code, qform_code)
    assert volume.knows_scanner_axes == known


@pytest.mark.parametrize(
    ("sform_code", "qform_code", "form"),
    [
        (1, 1, "sform"),
        (1, 2, "sform"),
        (2, 1, "qform"),
        (2, 2, "sform"),
        (4, 1, "qform"),
        (4, 2, "qform"),
        (2, 4, "sform"),
        (0, 2, "qform"),
        (4, 4, "sform"),
        (0, 0, "sform"),
    ],
)
def test_geometry_is_of_the_form_in_scanner_coordinates(sform_code, qform_code, form):
    affines = {
        "sform": affine_of(np.eye(3), (1, 1.2, 2)),
        "qform": affine_of(rotation_about_x(20), (1, 1, 2)),
    }
    data = np.zeros(SHAPE, np.float32)
    codes = sform_code, qform_code
    scan = Volume(data, affines["sform"], "a.nii", *codes, affines["qform"])
    expected = volume(affine=affines[form])
    assert scan.b0_direction == expected.b0_direction
    assert scan.voxel_size == expected.voxel_size


def test_an_image_without_affine_lies_where_its_mask_does():
    data = np.ones(SHAPE, np.float32)
    affine = affine_of(rotation_about_x(20), (1, 1, 2))
    mask = Volume(data > 0, affine, "mask.nii", 1, 2, affine)
    placed = volume(data, name="a.mat").placed_like(mask)
    assert (placed.name, placed.sform_code, placed.qform_code) == ("a.mat", 1, 2)
    assert placed.data is data
    assert placed.affine is placed.qform is affine
    located = volume(data, affine)
    assert located.placed_like(volume(data > 0)) is located
    assert located.placed_like(mask) is located
    nowhere = Volume(data, np.eye(4), "field.nii")
    assert nowhere.placed_like(Volume(data > 0, affine, "mask.nii")) is nowhere
    assert nowhere.placed_like(mask).affine is affine


def test_same_grid_goes_by_the_smallest_edge():
    affine = np.diag([0.7, 0.7, 3.0, 1.0])
    moved = affine.copy()
    moved[0, 3] += 0.015
    with pytest.raises(InputError, match="voxels lie up to 0.015 mm apart"):
        check_same_grid(volume(affine=affine), volume(affine=moved))


def test_grids_of_maps_without_an_affine(tmp_path):
    ones = np.ones((3, 4, 5), np.float32)
    first = Volume(ones, None, "a.mat")
    shifted = np.eye(4)
    shifted[0, 3] = 7
    others = [
        Volume(ones, affine, f"{k}.nii", sform_code=1)
        for k, affine in enumerate((np.eye(4), shifted))
    ]
    check_same_grids([first, others[0]])
    with pytest.raises(InputError, match="affine"):
        check_same_grids([first, *others])
    nowhere = Volume(ones, np.eye(4), "c.nii")
    check_same_grids([nowhere, others[1]])
    with pytest.raises(InputError, match="affine"):
        check_same_grids([nowhere, *others])
