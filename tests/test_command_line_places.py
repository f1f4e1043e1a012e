"""Fields whose header does not say where they lie, or that flags contradict."""

import nibabel
import numpy as np
import pytest

from benchmarks.agreement import relative_error
from tests.command_line import (
    VOXEL_SIZE,
    assert_one_line,
    read,
    run,
    succeed,
    write,
    write_scan,
)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    write_scan(folder)
    succeed(
        "reconstruct",
        field=folder / "field.nii.gz",
        mask=folder / "mask.nii.gz",
        method="tikhonov",
        output=folder / "tikhonov.nii.gz",
    )
    return folder


def without_codes(path, target):
    image = nibabel.load(path)
    image = nibabel.Nifti1Image(image.get_fdata(dtype=np.float32), image.affine)
    image.set_sform(image.affine, 0)
    image.set_qform(image.affine, 0)
    image.to_filename(target)
    return target


def test_a_field_without_codes_lies_where_its_mask_does(scan, tmp_path):
    field = without_codes(scan / "field.nii.gz", tmp_path / "field.nii")
    files = {"field": field, "mask": scan / "mask.nii.gz"}
    files |= {"method": "tikhonov", "output": tmp_path / "map.nii.gz"}
    result = succeed("reconstruct", **files)
    assert result.out.count("(from the mask's affine)") == 2
    image, expected = map(
        nibabel.load, (tmp_path / "map.nii.gz", scan / "field.nii.gz")
    )
    np.testing.assert_allclose(image.affine, expected.affine, atol=1e-5)
    assert image.header["sform_code"] == expected.header["sform_code"]
    difference = relative_error(image.get_fdata(), read(scan / "tikhonov.nii.gz"))
    assert difference < 1e-5
    result = succeed("reconstruct", **files, voxel_size="1,1,2")
    assert "other than --voxel-size" in result.err
    header = nibabel.load(tmp_path / "map.nii.gz").header
    assert (header["sform_code"], header["qform_code"]) == (0, 0)
    np.testing.assert_allclose(header.get_zooms(), VOXEL_SIZE, rtol=1e-6)


def test_a_reference_region_is_compared_with_the_mask(scan, tmp_path):
    image = nibabel.load(scan / "mask.nii.gz")
    moved = image.affine.copy()
    moved[0, 3] += 5
    region = write(tmp_path / "region.nii", image.get_fdata().astype(np.uint8), moved)
    result = run(
        "reconstruct",
        field=without_codes(scan / "field.nii.gz", tmp_path / "field.nii"),
        mask=scan / "mask.nii.gz",
        reference=region,
        method="tkd",
        output=tmp_path / "map.nii",
    )
    assert_one_line(result, "region.nii: the affine differs from that of")


def test_a_voxel_size_unlike_the_affines_is_told(scan, tmp_path):
    flags = {"field": scan / "field.nii.gz", "mask": scan / "mask.nii.gz"}
    flags |= {"method": "tkd", "output": tmp_path / "map.nii"}
    warning = "its affine has voxels of 1.1 x 0.9 x 1.6 mm, other than --voxel-size"
    assert warning in succeed("reconstruct", **flags, voxel_size="1,1,1").err
    assert succeed("reconstruct", **flags, voxel_size="1.1,0.9,1.601").err == ""
