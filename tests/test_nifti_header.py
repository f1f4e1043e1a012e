import os
import warnings

import nibabel
import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.nifti import read_volume
from tests.nifti_files import AFFINE, DATA, SHAPE, pixdim, refused, write_nifti


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
def test_data_too_large_for_the_memory(tmp_path, name, memory):
    path = write_nifti(tmp_path / name)
    memory.available = 210 * 16 - 1
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
    path = write_nifti(tmp_path / "b.nii", srow_x=[-0.7, 0.02, 0, 0])
    assert "the affine is sheared (cosine of its axes 0.0286)" in refused(path)


def test_affine_and_voxel_sizes_disagree(tmp_path):
    path = write_nifti(tmp_path / "a.nii", pixdim=pixdim(1.0, 1.0, 1.0))
    with pytest.warns(UserWarning, match="sizes 1, 1, 1 mm differ .* 0.7, 0.7, 3 mm"):
        volume = read_volume(path)
    assert volume.voxel_size == pytest.approx((0.7, 0.7, 3.0))


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


@pytest.mark.parametrize("sform_code", [0, 1])
def test_rounding_of_a_turn_by_180_degrees(tmp_path, sform_code):
    """Programs write quaternions a little longer than 1, which nibabel refuses."""
    codes = {"qform_code": 1, "sform_code": sform_code}
    write_nifti(tmp_path / "a.nii", quatern_c=1 + 1e-5, **codes)
    with pytest.raises(ValueError, match="w2 should be positive"):
        nibabel.load(tmp_path / "a.nii").header.get_qform()
    volume = read_volume(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    np.testing.assert_allclose(volume.qform, AFFINE, atol=1e-5)


def test_an_impossible_rotation(tmp_path):
    path = write_nifti(tmp_path / "a.nii", qform_code=1, quatern_c=1.1, quatern_d=0.5)
    assert "damaged" in refused(path)


def test_forms_that_are_upside_down(tmp_path):
    """B0 and its opposite are one direction to the dipole, whatever rounding does."""
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(60, 3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))[:, np.newaxis, np.newaxis]
    for rotation in turn:
        affine = np.eye(4)
        affine[:3, :3] = rotation
        image = nibabel.Nifti1Image(DATA, affine)
        image.set_qform(affine, 1)
        image.set_sform(np.diag([1.0, 1.0, -1.0, 1.0]) @ affine, 1)
        image.to_filename(tmp_path / "a.nii")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read_volume(tmp_path / "a.nii")


def test_no_sign_of_the_third_axis_is_a_positive_one(tmp_path):
    affine = np.diag([-0.7, -0.7, 3.0, 1.0])
    image = nibabel.Nifti1Image(DATA, None)
    image.set_qform(affine, 1)
    image.to_filename(tmp_path / "b.nii")
    content = bytearray((tmp_path / "b.nii").read_bytes())
    content[76:80] = np.float32(0).tobytes()  # pixdim[0], as many programs leave it
    (tmp_path / "a.nii").write_bytes(content)
    volume = read_volume(tmp_path / "a.nii")
    np.testing.assert_allclose(
        volume.affine, np.diag([-0.7, -0.7, 3.0, 1.0]), atol=1e-6
    )


def test_a_sheared_way_to_a_template(tmp_path):
    sheared = AFFINE @ np.array(
        [[1.1, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 0.9, 0], [0, 0, 0, 1]]
    )
    image = nibabel.Nifti1Image(DATA, None)
    image.set_qform(AFFINE, 1)
    for code in (1, 4):
        image.set_sform(sheared, code)
        image.to_filename(tmp_path / f"{code}.nii")
    with pytest.raises(InputError, match="1.nii: the affine is sheared"):
        read_volume(tmp_path / "1.nii")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* put B0 .* degrees apart")
        warnings.filterwarnings("error", message=".*voxel sizes")
        volume = read_volume(tmp_path / "4.nii")
    np.testing.assert_allclose(volume.affine, sheared, atol=1e-5)
    expected = np.linalg.norm(AFFINE[:3, :3], axis=0)
    np.testing.assert_allclose(volume.voxel_size, expected, rtol=1e-5)


def test_units_and_checks_are_of_the_qform_too(tmp_path):
    affine = AFFINE.copy()
    affine[:3] *= 1e-3
    image = nibabel.Nifti1Image(DATA, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    image.header.set_xyzt_units("meter")
    image.to_filename(tmp_path / "a.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii").qform, AFFINE, rtol=1e-4)
    path = write_nifti(tmp_path / "b.nii", qform_code=1, sform_code=1, qoffset_x=np.nan)
    with pytest.raises(InputError, match="NaN"):
        read_volume(path)
