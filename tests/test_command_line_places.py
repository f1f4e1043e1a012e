"""Fields whose header does not say where they lie, or that flags contradict."""

import nibabel
import numpy as np
import pytest

from benchmarks.agreement import relative_error
from tests.command_line import (
    VOXEL_SIZE,
    assert_one_line,
    read,
    read_json,
    run,
    succeed,
    write,
)
from tests.mat_files import write_v5


def in_matlab(path, folder):
    write_v5(folder / "field.mat", phs=read(path))
    return folder / "field.mat"


def without_codes(path, folder):
    image = nibabel.load(path)
    image = nibabel.Nifti1Image(image.get_fdata(dtype=np.float32), image.affine)
    image.set_sform(image.affine, 0)
    image.set_qform(image.affine, 0)
    image.to_filename(folder / "field.nii")
    return folder / "field.nii"


@pytest.mark.parametrize("written", [in_matlab, without_codes])
def test_a_field_that_lies_nowhere_lies_where_its_mask_does(scan, tmp_path, written):
    result = succeed(
        "reconstruct",
        field=written(scan / "field.nii.gz", tmp_path),
        mask=scan / "mask.nii.gz",
        method="tikhonov",
        output=tmp_path / "map.nii.gz",
    )
    assert result.out.count("(from the mask's affine)") == 2
    image, expected = map(
        nibabel.load, (tmp_path / "map.nii.gz", scan / "field.nii.gz")
    )
    np.testing.assert_allclose(image.affine, expected.affine, atol=1e-5)
    assert image.header["sform_code"] == expected.header["sform_code"]
    difference = relative_error(image.get_fdata(), read(scan / "tikhonov.nii.gz"))
    assert difference < 1e-5


@pytest.mark.parametrize(
    ("written", "edges", "told"),
    [(in_matlab, (1, 1, 2), False), (without_codes, VOXEL_SIZE, True)],
)
def test_voxels_of_which_the_masks_affine_does_not_know(
    scan, tmp_path, written, edges, told
):
    result = succeed(
        "reconstruct",
        field=written(scan / "field.nii.gz", tmp_path),
        mask=scan / "mask.nii.gz",
        voxel_size="1,1,2",
        method="tikhonov",
        output=tmp_path / "map.nii.gz",
    )
    assert ("other than --voxel-size" in result.err) == told
    assert ("so that it lies nowhere" in result.err) != told
    assert read_json(tmp_path / "map.json")["Axes"] is None
    header = nibabel.load(tmp_path / "map.nii.gz").header
    assert header.get_zooms() == tuple(np.float32(edges))
    assert (header["sform_code"], header["qform_code"]) == (0, 0)


def test_a_reference_region_is_compared_with_the_mask(scan, tmp_path):
    image = nibabel.load(scan / "mask.nii.gz")
    moved = image.affine.copy()
    moved[0, 3] += 5
    region = write(tmp_path / "region.nii", image.get_fdata().astype(np.uint8), moved)
    result = run(
        "reconstruct",
        field=without_codes(scan / "field.nii.gz", tmp_path),
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


def test_voxels_a_little_unlike_the_masks_are_others(scan, tmp_path):
    succeed(
        "reconstruct",
        field=in_matlab(scan / "field.nii.gz", tmp_path),
        mask=scan / "mask.nii.gz",
        voxel_size=",".join(f"{1.05 * edge:g}" for edge in VOXEL_SIZE),
        method="tkd",
        output=tmp_path / "map.nii",
    )
    assert nibabel.load(tmp_path / "map.nii").header["sform_code"] == 0


def test_a_simulated_field_lies_where_the_mask_does(scan, tmp_path):
    chi = without_codes(scan / "chi.nii.gz", tmp_path)
    image = nibabel.load(chi)
    data = image.get_fdata(dtype=np.float32)
    data[0, 0, 0] = np.nan  # outside the mask
    path = tmp_path / "holes.nii"
    nibabel.Nifti1Image(data, None, image.header).to_filename(path)
    result = succeed(
        "simulate",
        susceptibility=path,
        mask=scan / "mask.nii.gz",
        output=tmp_path / "simulated.nii",
    )
    assert "1 voxels outside the mask are NaN" in result.err
    found, expected = (
        nibabel.load(name)
        for name in (tmp_path / "simulated.nii", scan / "field.nii.gz")
    )
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-5)
    assert relative_error(found.get_fdata(), expected.get_fdata()) < 1e-5


@pytest.mark.parametrize("subcommand", ["reconstruct", "simulate"])
def test_a_wrong_direction_is_told_before_files_are_read(scan, tmp_path, subcommand):
    first = {"reconstruct": "field", "simulate": "susceptibility"}[subcommand]
    result = run(
        subcommand,
        **{first: tmp_path / "none.nii"},
        mask=scan / "mask.nii.gz",
        b0_dir="0,0,0",
        output=tmp_path / "map.nii",
    )
    assert_one_line(result, "--b0-dir: expected")
