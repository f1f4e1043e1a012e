import nibabel
import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.nifti import read_mask, read_volume
from tests.nifti_files import AFFINE, DATA, SHAPE, refused, write_nifti


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII", "a.b.NII.gz"])
@pytest.mark.parametrize("image_class", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_read(tmp_path, name, image_class):
    volume = read_volume(write_nifti(tmp_path / name, image_class=image_class))
    np.testing.assert_array_equal(volume.data, DATA)
    np.testing.assert_allclose(volume.affine, AFFINE, rtol=1e-6)
    assert volume.data.dtype == np.float32
    assert volume.data.flags.c_contiguous
    assert volume.name == str(tmp_path / name)
    assert volume.voxel_size == pytest.approx((0.7, 0.7, 3.0))
    assert volume.b0_direction == (0, 0, 1)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_read_any_type_and_byte_order(tmp_path, dtype, order):
    expected = np.arange(210).reshape(SHAPE)
    image = nibabel.Nifti1Image(
        expected.astype(order + dtype), AFFINE, dtype=np.dtype(dtype)
    )
    swapped = nibabel.Nifti1Image(
        expected.astype(dtype), AFFINE, image.header.as_byteswapped(order)
    )
    swapped.to_filename(tmp_path / "a.nii")
    stored_order = "<" if (tmp_path / "a.nii").read_bytes()[0] else ">"
    assert stored_order == order
    volume = read_volume(tmp_path / "a.nii")
    assert volume.data.dtype == np.float32
    np.testing.assert_array_equal(volume.data, expected)
    np.testing.assert_allclose(volume.affine, AFFINE, rtol=1e-6)


def test_slope_and_intercept(tmp_path):
    stored = np.arange(210, dtype=np.int16).reshape(SHAPE)
    path = write_nifti(tmp_path / "a.nii", stored, scl_slope=0.25, scl_inter=-3.0)
    np.testing.assert_array_equal(read_volume(path).data, stored * 0.25 - 3)


def test_trailing_axes_of_length_one(tmp_path):
    path = write_nifti(tmp_path / "a.nii", DATA[..., np.newaxis, np.newaxis])
    np.testing.assert_array_equal(read_volume(path).data, DATA)


def test_a_single_slice_is_a_volume(tmp_path):
    path = write_nifti(tmp_path / "a.nii", DATA[..., :1, np.newaxis])
    assert read_volume(path).data.shape == (7, 6, 1)


def test_nan_and_infinity_are_kept(tmp_path):
    data = DATA.astype(np.float64)
    data[0, 0, :4] = np.nan, np.inf, -np.inf, 1e300
    read = read_volume(write_nifti(tmp_path / "a.nii.gz", data)).data
    np.testing.assert_array_equal(read[0, 0, :4], [np.nan, np.inf, -np.inf, np.inf])


@pytest.mark.parametrize(("unit", "size"), [("meter", 1e-3), ("micron", 1e3)])
def test_other_units_of_length(tmp_path, unit, size):
    affine = AFFINE.copy()
    affine[:3] *= size
    image = nibabel.Nifti1Image(DATA, affine)
    image.header.set_xyzt_units(unit)
    image.to_filename(tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.affine, AFFINE, rtol=1e-5)


def test_a_header_without_orientation(tmp_path):
    image = nibabel.Nifti1Image(DATA, None)
    image.header["pixdim"][:4] = 0, 0.7, 0.8, 3.0
    image.to_filename(tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    assert volume.voxel_size == pytest.approx((0.7, 0.8, 3.0))
    assert volume.b0_direction == (0, 0, 1)
    assert (volume.sform_code, volume.qform_code) == (0, 0)


@pytest.mark.parametrize("missing", ["a.nii", "a.mat", "none/a.nii.gz", "x" * 300])
def test_missing(tmp_path, missing):
    assert refused(tmp_path / missing) == "no such file"


def test_folder(tmp_path):
    assert refused(tmp_path) == "expected a file, it is a folder"


def test_other_suffix(tmp_path):
    (tmp_path / "a.img").touch()
    assert refused(tmp_path / "a.img") == "expected a .nii, .nii.gz or .mat file"


def mask_file(tmp_path, values, dtype=np.float32):
    data = np.zeros(SHAPE, dtype)
    data[2:4, 2:4, 2:4] = np.resize(values, (2, 2, 2))
    return write_nifti(tmp_path / "mask.nii.gz", data), data


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_binary_mask(tmp_path, dtype):
    path, data = mask_file(tmp_path, [1], dtype)
    mask = read_mask(path)
    assert mask.data.dtype == bool
    np.testing.assert_array_equal(mask.data, data == 1)
    np.testing.assert_allclose(mask.affine, AFFINE, rtol=1e-6)


def test_mask_with_rounded_scaling(tmp_path):
    stored = np.zeros(SHAPE, np.int16)
    stored[1:3] = 41
    path = write_nifti(tmp_path / "mask.nii", stored, scl_slope=1 / 41)
    assert read_volume(path).data.max() != 1
    np.testing.assert_array_equal(read_mask(path).data, stored > 0)


def test_probability_mask(tmp_path):
    path, data = mask_file(tmp_path, [0.25, 0.5, 0.75])
    message = refused(path, read_mask)
    assert message.endswith("values from 0 to 0.75 such as 0.25")
    told = refused(path, read_mask, threshold_flag="--cut")
    assert told == f"{message}; a probability mask needs --cut"
    np.testing.assert_array_equal(read_mask(path, 0.5).data, data > 0.5)
    np.testing.assert_array_equal(read_mask(path, threshold=0).data, data > 0)


def test_label_mask_is_refused(tmp_path):
    path, _ = mask_file(tmp_path, [255], np.uint8)
    assert "values from 0 to 255 such as 255" in refused(path, read_mask)


def test_empty_mask(tmp_path):
    path, _ = mask_file(tmp_path, [0])
    assert refused(path, read_mask) == "the mask is empty"
    message = refused(path, read_mask, threshold=0.9)
    assert message == "the mask is empty, no voxel is above 0.9"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("threshold", [None, 0.5])
def test_mask_not_finite(tmp_path, bad, threshold):
    path, _ = mask_file(tmp_path, [1, bad])
    message = refused(path, read_mask, threshold=threshold)
    assert message == "4 voxels of the mask are NaN or infinite"


@pytest.mark.parametrize("threshold", [np.nan, np.inf])
def test_mask_threshold_not_finite(tmp_path, threshold):
    with pytest.raises(InputError, match="mask threshold: expected a finite number"):
        read_mask(tmp_path / "mask.nii", threshold)


def test_a_link_that_leads_nowhere_is_told(tmp_path):
    (tmp_path / "a.nii").symlink_to("annexed.nii")
    with pytest.raises(InputError, match="no such file, it is a link that leads now"):
        read_volume(tmp_path / "a.nii")
    with pytest.raises(InputError, match="b.nii: no such file$"):
        read_volume(tmp_path / "b.nii")
