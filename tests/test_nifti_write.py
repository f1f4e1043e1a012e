import os

import nibabel
import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.nifti import check_output_path, read_volume, write_volume
from spinet_tf.volume import Volume
from tests.nifti_files import AFFINE, DATA


def test_sform_and_qform_disagree(tmp_path):
    image = nibabel.Nifti1Image(DATA, AFFINE)
    turned = np.diag([-0.7, 0.7, 3.0, 1.0])
    turned[1:3, 1:3] = [[0.7 * 0.8, -3 * 0.6], [0.7 * 0.6, 3 * 0.8]]
    image.set_qform(turned, 1)
    image.set_sform(AFFINE, 4)
    image.to_filename(tmp_path / "a.nii")
    with pytest.warns(UserWarning, match="put B0 36.9 degrees apart; that in"):
        volume = read_volume(tmp_path / "a.nii")
    # The sform leads to a template, the qform to the scanner, where B0 is z.
    assert volume.b0_direction == pytest.approx((0, 0.6, 0.8))
    assert volume.knows_scanner_axes
    write_volume(tmp_path / "chi.nii", DATA, volume)
    header = nibabel.load(tmp_path / "chi.nii").header
    np.testing.assert_allclose(header.get_qform(), turned, atol=1e-6)
    np.testing.assert_allclose(header.get_sform(), AFFINE, rtol=1e-6)


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
    read_by_others = nibabel.load(tmp_path / "field.nii").affine
    np.testing.assert_allclose(written.affine, read_by_others, atol=1e-5)
    assert header.get_data_dtype() == np.float32
    assert (int(header["sform_code"]), int(header["qform_code"])) == codes
    assert header.get_xyzt_units()[0] == "mm"
    assert header["descrip"].item() == b"chi [ppm]"
    np.testing.assert_allclose(header.get_zooms(), (0.7, 0.8, 3.0), rtol=1e-6)
    reread = read_volume(tmp_path / name)
    assert reread.b0_direction == pytest.approx(field.b0_direction, abs=1e-6)
    np.testing.assert_allclose(reread.affine, field.affine, atol=1e-5)


def test_a_header_without_codes_mirrors_nothing(tmp_path):
    image = nibabel.Nifti1Image(DATA, AFFINE)
    image.set_sform(AFFINE, 0)
    image.set_qform(AFFINE, 0)
    image.to_filename(tmp_path / "field.nii")
    field = read_volume(tmp_path / "field.nii")
    np.testing.assert_allclose(
        field.affine[:3, :3], np.diag([0.7, 0.7, 3.0]), rtol=1e-6
    )
    assert not field.is_placed


def test_write_without_an_affine(tmp_path):
    like = Volume(DATA, None, "a.mat:phs")
    write_volume(tmp_path / "chi.nii", DATA, like, (0.7, 0.8, 3.0))
    written = read_volume(tmp_path / "chi.nii")
    assert written.voxel_size == pytest.approx((0.7, 0.8, 3.0))
    assert not written.knows_scanner_axes
    with pytest.raises(InputError, match="a.mat:phs: has no voxel size"):
        write_volume(tmp_path / "other.nii", DATA, like)
    assert os.listdir(tmp_path) == ["chi.nii"]


def test_long_and_foreign_descriptions(tmp_path):
    like = Volume(DATA, AFFINE, "a.nii")
    write_volume(tmp_path / "chi.nii", DATA, like, description="χ " + "x" * 100)
    descrip = nibabel.load(tmp_path / "chi.nii").header["descrip"].item()
    assert descrip == b"? " + b"x" * 77


@pytest.mark.parametrize("name", ["chi.mat", "chi", "chi.gz", "chi.nii.bz2", ".nii.gz"])
def test_output_suffix(tmp_path, name):
    with pytest.raises(InputError, match="expected an output file .nii or .nii.gz"):
        check_output_path(tmp_path / name)
    with pytest.raises(InputError, match="expected an output file .nii or .nii.gz"):
        write_volume(tmp_path / name, DATA, Volume(DATA, AFFINE, "a.nii"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["chi.Nii.gz", "chi.nII", "chi.NII.GZ"])
def test_output_suffix_of_any_case(tmp_path, name):
    write_volume(tmp_path / name, DATA, Volume(DATA, AFFINE, "a.nii"))
    assert os.listdir(tmp_path) == [name]
    np.testing.assert_array_equal(read_volume(tmp_path / name).data, DATA)


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


def test_an_affine_without_codes_is_kept(tmp_path):
    affine = np.array([[0, 0, 3.0, 4], [-1, 0, 0, 5], [0, 2, 0, 6], [0, 0, 0, 1]])
    volume = Volume(np.zeros((4, 5, 6), np.float32), affine, "mine")
    write_volume(tmp_path / "a.nii.gz", volume.data, volume)
    again = read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(again.affine, affine)
    assert again.b0_direction == volume.b0_direction == (0, 1, 0)


def test_complex_numbers_and_voxels_without_edges_are_not_written(tmp_path):
    volume = Volume(np.zeros((2, 3, 4), np.float32), None, "mine")
    with pytest.raises(ValueError, match="real"):
        write_volume(tmp_path / "a.nii", volume.data + 1j, volume, (1, 1, 1))
    with pytest.raises(InputError, match="three edges"):
        write_volume(tmp_path / "a.nii", volume.data, volume, (0, 1, 1))
    write_volume(tmp_path / "a.nii", volume.data.tolist(), volume, (1, 1, 1))
    assert (tmp_path / "a.nii").exists()
