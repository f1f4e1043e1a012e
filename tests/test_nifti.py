import gzip
import os
import warnings
from types import SimpleNamespace

import nibabel
import numpy as np
import psutil
import pytest

from spinet_tf.errors import InputError
from spinet_tf.nifti import check_output_path, read_mask, read_volume, write_volume
from spinet_tf.volume import Volume

SHAPE = (7, 6, 5)
DATA = np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)
AFFINE = np.array([[-0.7, 0, 0, 90], [0, 0.7, 0, -80], [0, 0, 3, 12], [0, 0, 0, 1.0]])


def write_nifti(path, data=DATA, affine=AFFINE, image_class=nibabel.Nifti1Image, **set):
    """Header fields in `set` are written as they are."""
    image = image_class(data, affine)
    image.header["descrip"] = "input"
    image.to_filename(path)
    if set:
        fields = image.header_class.template_dtype.fields
        with _open(path, "rb") as file:
            content = bytearray(file.read())
        for name, value in set.items():
            dtype, offset = fields[name]
            stored = np.asarray(value, dtype.base).tobytes()
            content[offset : offset + len(stored)] = stored
        with _open(path, "wb") as file:
            file.write(content)
    return path


def _open(path, mode):
    return gzip.open(path, mode) if path.suffix == ".gz" else open(path, mode)


def pixdim(*edges):
    return [1.0, *edges]


def refused(path, read=read_volume, **arguments):
    with pytest.raises(InputError) as caught:
        read(path, **arguments)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


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


@pytest.mark.parametrize("content", [b"", b"a text\nof lines", b"a text\n" * 200])
def test_not_nifti(tmp_path, content):
    (tmp_path / "a.nii").write_bytes(content)
    assert refused(tmp_path / "a.nii") == "not a NIfTI file"
    (tmp_path / "a.nii.gz").write_bytes(content or b"x")
    assert "damaged or not a NIfTI file" in refused(tmp_path / "a.nii.gz")


def test_header_without_its_data_file(tmp_path):
    nibabel.Nifti1Pair(DATA, AFFINE).to_filename(tmp_path / "a.hdr")
    os.rename(tmp_path / "a.hdr", tmp_path / "a.nii")
    assert refused(tmp_path / "a.nii") == "not a NIfTI file"


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
@pytest.mark.parametrize(
    ("name", "message"), [("a.nii", "truncated"), ("a.nii.gz", "damaged")]
)
def test_truncated(tmp_path, name, message, share):
    path = write_nifti(tmp_path / name)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert message in refused(path)


def test_truncated_within_the_header(tmp_path):
    path = write_nifti(tmp_path / "a.nii")
    path.write_bytes(path.read_bytes()[:300])
    assert refused(path) == "not a NIfTI file"


def test_gzip_without_its_end(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz")
    path.write_bytes(path.read_bytes()[:-8])
    assert "damaged" in refused(path)


def test_gzip_with_another_checksum(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz")
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)
    assert "CRC" in refused(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_header_promises_more_than_the_file_can_hold(tmp_path, name):
    path = write_nifti(tmp_path / name, dim=[3, 30000, 30000, 30000])
    assert "truncated, the header promises 108000000000352 bytes" in refused(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_data_too_large_for_the_memory(tmp_path, name, monkeypatch):
    path = write_nifti(tmp_path / name)
    memory = SimpleNamespace(available=210 * 16 - 1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert "GB of memory" in refused(path)
    memory.available += 1
    np.testing.assert_array_equal(read_volume(path).data, DATA)


@pytest.mark.parametrize(
    "shape", [(7, 6), (7, 6, 5, 2), (7, 6, 5, 1, 2), (0, 6, 5), (7, 6, 5, 0)]
)
def test_shape(tmp_path, shape):
    path = write_nifti(tmp_path / "a.nii", np.zeros(shape, np.float32))
    assert refused(path) == f"expected a 3-D image, got shape {shape}"


def test_negative_dimension(tmp_path):
    path = write_nifti(tmp_path / "a.nii", dim=[3, 7, -6, 5])
    assert refused(path) == "expected a 3-D image, got shape (7, -6, 5)"


@pytest.mark.parametrize(
    "dtype", [np.complex64, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])]
)
def test_data_type(tmp_path, dtype):
    path = write_nifti(tmp_path / "a.nii", np.zeros(SHAPE, dtype))
    assert "expected real numbers, the data type is" in refused(path)


def test_unknown_data_type(tmp_path):
    assert "77" in refused(write_nifti(tmp_path / "a.nii", datatype=77))


@pytest.mark.parametrize("edge", [0.0, -1.0, np.nan, np.inf])
def test_voxel_sizes(tmp_path, edge, capfd):
    path = write_nifti(tmp_path / "a.nii", pixdim=pixdim(0.7, edge, 3.0))
    assert refused(path) == (
        f"expected positive voxel sizes in the header, got 0.7, {edge:g}, 3"
    )
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "row", [[np.nan, 0, 0, 0], [0, 0, np.inf, 0], [-0.7, 0, 0, 1e38]]
)
def test_affine_not_finite(tmp_path, row):
    message = refused(write_nifti(tmp_path / "a.nii", srow_x=row))
    assert message == "the affine has NaN, infinite or huge entries"


@pytest.mark.parametrize("row", [[0, 0, 0, 0], [0, 0.7, 0, 5]])
def test_affine_singular(tmp_path, row):
    path = write_nifti(tmp_path / "a.nii", srow_x=row)
    assert refused(path) == "the affine is singular"


def test_affine_sheared(tmp_path):
    path = write_nifti(tmp_path / "a.nii", srow_x=[-0.7, 0.1, 0, 0])
    assert "the affine is sheared (cosine of its axes 0.141)" in refused(path)


def test_affine_and_voxel_sizes_disagree(tmp_path):
    path = write_nifti(tmp_path / "a.nii", pixdim=pixdim(1.0, 1.0, 1.0))
    with pytest.warns(UserWarning, match="sizes 1, 1, 1 mm differ .* 0.7, 0.7, 3 mm"):
        volume = read_volume(path)
    assert volume.voxel_size == pytest.approx((0.7, 0.7, 3.0))


def test_sform_and_qform_disagree(tmp_path):
    image = nibabel.Nifti1Image(DATA, AFFINE)
    turned = np.diag([-0.7, 0.7, 3.0, 1.0])
    turned[1:3, 1:3] = [[0.7 * 0.8, -3 * 0.6], [0.7 * 0.6, 3 * 0.8]]
    image.set_qform(turned, 1)
    image.set_sform(AFFINE, 4)
    image.to_filename(tmp_path / "a.nii")
    with pytest.warns(UserWarning, match="put B0 36.9 degrees apart; the sform"):
        volume = read_volume(tmp_path / "a.nii")
    assert volume.b0_direction == (0, 0, 1)
    write_volume(tmp_path / "chi.nii", DATA, volume)
    header = nibabel.load(tmp_path / "chi.nii").header
    np.testing.assert_allclose(header.get_qform(), turned, atol=1e-6)
    np.testing.assert_allclose(header.get_sform(), AFFINE, rtol=1e-6)


def test_damaged_headers_give_one_line(tmp_path):
    """A header of random bytes is refused in one line, or read to its shape."""
    path = write_nifti(tmp_path / "a.nii")
    whole = path.read_bytes()
    generator = np.random.default_rng(7)
    refusals = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for place in generator.integers(0, 352, 3):
            damaged[place] = generator.integers(256)
        path.write_bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                volume = read_volume(path)
            assert volume.data.ndim == 3
            assert np.isfinite(volume.affine).all()
        except InputError as error:
            assert "\n" not in str(error)
            refusals += 1
    assert 30 < refusals < 270


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
    stored[1:3] = 32767
    path = write_nifti(tmp_path / "mask.nii", stored, scl_slope=1 / 32767)
    np.testing.assert_array_equal(read_mask(path).data, stored > 0)


def test_probability_mask(tmp_path):
    path, data = mask_file(tmp_path, [0.25, 0.5, 0.75])
    message = refused(path, read_mask)
    assert "values from 0 to 0.75 such as 0.25" in message
    assert "--mask-threshold" in message
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


@pytest.mark.parametrize("name", ["chi.nii", "chi.nii.gz"])
@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 1), (4, 4), (0, 0)])
def test_write_on_the_grid_of_the_input(tmp_path, name, codes):
    cos, sin = np.cos(0.35), np.sin(0.35)
    rotation = np.array([[-1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    affine = np.eye(4)
    affine[:3, :3] = rotation * [0.7, 0.8, 3.0]
    affine[:3, 3] = 90, -80, 12
    image = nibabel.Nifti1Image(DATA, affine)
    image.set_sform(affine, codes[0])
    image.set_qform(affine, codes[1])
    image.to_filename(tmp_path / "field.nii")
    field = read_volume(tmp_path / "field.nii")

    write_volume(tmp_path / name, DATA.astype(np.float64) * 2, field, None, "chi [ppm]")

    written = nibabel.load(tmp_path / name)
    header = written.header
    np.testing.assert_array_equal(written.get_fdata(), DATA * 2)
    np.testing.assert_allclose(written.affine, field.affine, atol=1e-5)
    assert header.get_data_dtype() == np.float32
    assert (int(header["sform_code"]), int(header["qform_code"])) == codes
    assert header.get_xyzt_units()[0] == "mm"
    assert header["descrip"].item() == b"chi [ppm]"
    np.testing.assert_allclose(header.get_zooms(), (0.7, 0.8, 3.0), rtol=1e-6)
    reread = read_volume(tmp_path / name)
    assert reread.b0_direction == pytest.approx(field.b0_direction, abs=1e-6)


def test_write_without_an_affine(tmp_path):
    like = Volume(DATA, None, "a.mat:phs")
    write_volume(tmp_path / "chi.nii", DATA, like, (0.7, 0.8, 3.0))
    written = read_volume(tmp_path / "chi.nii")
    np.testing.assert_allclose(written.affine, np.diag([0.7, 0.8, 3, 1]), rtol=1e-6)
    with pytest.raises(InputError, match="a.mat:phs: has no voxel size"):
        write_volume(tmp_path / "other.nii", DATA, like)
    assert os.listdir(tmp_path) == ["chi.nii"]


def test_long_and_foreign_descriptions(tmp_path):
    like = Volume(DATA, AFFINE, "a.nii")
    write_volume(tmp_path / "chi.nii", DATA, like, description="χ " + "x" * 100)
    descrip = nibabel.load(tmp_path / "chi.nii").header["descrip"].item()
    assert descrip == b"? " + b"x" * 77


@pytest.mark.parametrize("name", ["chi.mat", "chi", "chi.gz", "chi.nii.bz2"])
def test_output_suffix(tmp_path, name):
    with pytest.raises(InputError, match="expected an output file .nii or .nii.gz"):
        check_output_path(tmp_path / name)
    with pytest.raises(InputError, match="expected an output file .nii or .nii.gz"):
        write_volume(tmp_path / name, DATA, Volume(DATA, AFFINE, "a.nii"))
    assert os.listdir(tmp_path) == []


def test_output_folder_missing(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        check_output_path(tmp_path / "none" / "chi.nii")


def test_another_shape_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"shape \(6, 6, 5\), not \(7, 6, 5\)"):
        write_volume(tmp_path / "chi.nii", DATA[1:], Volume(DATA, AFFINE, "a.nii"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(28, "No space left on device"), InputError),
        (MemoryError(), MemoryError),
    ],
)
def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch, error, raised):
    def fail_halfway(image, path):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(nibabel, "save", fail_halfway)
    like = Volume(DATA, AFFINE, "a.nii")
    with pytest.raises(raised) as caught:
        write_volume(tmp_path / "chi.nii", DATA, like)
    if raised is InputError:
        assert str(caught.value) == (
            f"{tmp_path / 'chi.nii'}: cannot be written, No space left on device"
        )
    assert os.listdir(tmp_path) == []
