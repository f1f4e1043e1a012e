"""`spinet-qsm reconstruct`: what it makes of its inputs."""

import warnings

import nibabel
import numpy as np
import pytest

from benchmarks.agreement import relative_error
from spinet_tf.field_units import GYROMAGNETIC_RATIO
from spinet_tf.model_files import load_model
from spinet_tf.nifti import read_volume
from spinet_tf.reconstruct import Reconstructor
from spinet_tf.volume import affine_b0_direction
from tests.command_line import (
    VOXEL_SIZE,
    make_scan,
    mask,
    oblique_affine,
    read,
    read_json,
    run_words,
    succeed,
    write,
)
from tests.mat_files import write_v5, write_v73

HERTZ_PER_PPM = 3.0 * GYROMAGNETIC_RATIO


RADIANS_PER_PPM = 2 * np.pi * 0.02 * HERTZ_PER_PPM


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A scan, and maps of it by a small network and by Tikhonov."""
    folder = make_scan(tmp_path_factory)
    inputs = {"field": folder / "field.nii.gz", "mask": folder / "mask.nii.gz"}
    for name, flags in (
        ("map", {"model": folder / "tiny.keras"}),
        ("tikhonov", {"method": "tikhonov"}),
    ):
        succeed("reconstruct", **inputs, **flags, output=folder / f"{name}.nii.gz")
    return folder


@pytest.mark.parametrize(
    ("units", "scale", "flags"),
    [
        ("hz", HERTZ_PER_PPM, {"b0": 3}),
        ("rad", RADIANS_PER_PPM, {"b0": 3, "te": 0.02}),
    ],
)
def test_other_units_give_the_same_map(scan, tmp_path, units, scale, flags):
    field = read(scan / "field.nii.gz") * np.float32(scale)
    succeed(
        "reconstruct",
        field=write(tmp_path / "field.nii", field),
        field_units=units,
        **flags,
        mask=scan / "mask.nii.gz",
        output=tmp_path / "map.nii",
        method="tikhonov",
    )
    difference = relative_error(
        read(tmp_path / "map.nii"), read(scan / "tikhonov.nii.gz")
    )
    assert difference < 1e-5
    content = read_json(tmp_path / "map.json")
    assert content["FieldUnits"] == units
    assert content["FieldStrength"] == 3
    assert content["EchoTime"] == flags.get("te")


@pytest.mark.parametrize("write_mat", [write_v5, write_v73])
def test_matlab_files_give_the_same_map(scan, tmp_path, write_mat):
    field = read(scan / "field.nii.gz").astype(np.float64)
    # The B0 direction may have any length.
    b0 = ",".join(str(2.5 * c) for c in affine_b0_direction(oblique_affine()))
    write_mat(tmp_path / "scan.mat", phs=field, mask=mask(), te=np.array([[0.02]]))
    result = succeed(
        "reconstruct",
        field=f"{tmp_path / 'scan.mat'}:phs",
        mask=f"{tmp_path / 'scan.mat'}:mask",
        voxel_size=",".join(map(str, VOXEL_SIZE)),
        b0_dir=b0,
        model=scan / "tiny.keras",
        output=tmp_path / "map.nii.gz",
    )
    assert result.out.count("(from the command line)") == 2
    image = nibabel.load(tmp_path / "map.nii.gz")
    np.testing.assert_allclose(image.header.get_zooms(), VOXEL_SIZE, rtol=1e-6)
    # Nobody knows where the scanner is.
    assert (image.header["sform_code"], image.header["qform_code"]) == (0, 0)
    difference = relative_error(image.get_fdata(), read(scan / "map.nii.gz"))
    assert difference < 1e-3


def test_b0_of_the_command_line_replaces_that_of_the_affine(scan, tmp_path):
    flags = ("--field", scan / "field.nii.gz", "--mask", scan / "mask.nii.gz")
    flags += ("--method", "tkd", "--output", tmp_path / "map.nii")
    result = run_words("reconstruct", *flags, "--b0-dir", "-0.5,0,0")
    assert result.exit_code == 0, result.err
    assert "B0 direction  -1, 0, 0 in voxel axes (from the command line)" in result.out
    other = read(tmp_path / "map.nii")
    result = run_words("reconstruct", *flags)
    assert result.exit_code == 0, result.err
    assert relative_error(other, read(tmp_path / "map.nii")) > 0.1


def test_an_assumed_b0_direction_is_told(scan, tmp_path):
    image = nibabel.Nifti1Image(read(scan / "field.nii.gz"), None)
    image.header.set_zooms(VOXEL_SIZE)
    nibabel.save(image, tmp_path / "field.nii")
    write_v5(tmp_path / "mask.mat", mask=mask())
    result = succeed(
        "reconstruct",
        field=tmp_path / "field.nii",
        mask=tmp_path / "mask.mat",
        output=tmp_path / "map.nii",
        method="tkd",
    )
    assert "B0 direction  0, 0, 1 in voxel axes (assumed, " in result.out
    assert "voxel size    1.1 x 0.9 x 1.6 mm" in result.out


def test_trailing_axis_and_probability_mask(scan, tmp_path):
    field = read(scan / "field.nii.gz")[..., np.newaxis]
    probability = np.where(mask(), 0.9, 0.2).astype(np.float32)
    succeed(
        "reconstruct",
        field=write(tmp_path / "field.nii", field),
        mask=write(tmp_path / "mask.nii", probability),
        mask_threshold=0.5,
        output=tmp_path / "map.nii",
        method="tikhonov",
    )
    np.testing.assert_array_equal(
        read(tmp_path / "map.nii"), read(scan / "tikhonov.nii.gz")
    )


def test_nan_outside_the_mask_is_a_warning(scan, tmp_path):
    show_warning = warnings.showwarning
    field = read(scan / "field.nii.gz")
    field[0, 0, :3] = np.nan
    result = succeed(
        "reconstruct",
        field=write(tmp_path / "field.nii", field),
        mask=scan / "mask.nii.gz",
        output=tmp_path / "map.nii",
        method="tikhonov",
    )
    assert result.err == (
        f"spinet-qsm: warning: {tmp_path / 'field.nii'}: 3 voxels outside the mask are"
        " NaN or infinite; they are set to 0\n"
    )
    np.testing.assert_array_equal(
        read(tmp_path / "map.nii"), read(scan / "tikhonov.nii.gz")
    )
    assert warnings.showwarning is show_warning


@pytest.mark.parametrize("method", ["tkd", "tikhonov"])
def test_classical_methods_use_the_field_in_the_mask_only(method, scan, tmp_path):
    inside = np.where(mask(), read(scan / "field.nii.gz"), np.float32(0))
    maps = []
    for name, outside in (("zero", 0), ("five", 5)):
        field = np.where(mask(), inside, np.float32(outside))
        succeed(
            "reconstruct",
            field=write(tmp_path / f"{name}-field.nii", field),
            mask=scan / "mask.nii.gz",
            method=method,
            output=tmp_path / f"{name}.nii",
        )
        maps.append(read(tmp_path / f"{name}.nii"))
    assert relative_error(*maps) < 1e-6


def test_the_network_uses_the_field_as_it_is(scan, tmp_path):
    """As the authors' code does: the command line equals the library."""
    field = read(scan / "field.nii.gz") + np.float32(0.01)
    volume = read_volume(write(tmp_path / "field.nii", field))
    succeed(
        "reconstruct",
        field=tmp_path / "field.nii",
        mask=scan / "mask.nii.gz",
        model=scan / "tiny.keras",
        output=tmp_path / "map.nii",
    )
    expected = Reconstructor(load_model(scan / "tiny.keras"))(
        field, mask(), volume.voxel_size, volume.b0_direction
    )
    assert relative_error(read(tmp_path / "map.nii"), expected.susceptibility) < 1e-6
