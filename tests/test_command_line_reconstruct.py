"""`spinet-qsm reconstruct` as its user runs it."""

import warnings

import nibabel
import numpy as np
import pytest

from spinet_tf import SpiNetQSM, __version__
from spinet_tf.field_units import GYROMAGNETIC_RATIO
from spinet_tf.model_files import load_model, save_model
from spinet_tf.nifti import read_volume
from spinet_tf.reconstruct import Reconstructor
from spinet_tf.volume import affine_b0_direction
from tests.command_line import (
    PNG,
    SHAPE,
    VOXEL_SIZE,
    listing,
    mask,
    oblique_affine,
    read,
    read_json,
    run_words,
    succeed,
    write,
    write_model,
    write_scan,
)
from tests.mat_files import write_v5, write_v73

HERTZ_PER_PPM = 3.0 * GYROMAGNETIC_RATIO
RADIANS_PER_PPM = 2 * np.pi * 0.02 * HERTZ_PER_PPM


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Folder of a scan, a model, and maps by the network and by Tikhonov."""
    folder = tmp_path_factory.mktemp("scan")
    write_scan(folder)
    write_model(folder / "tiny.keras")
    inputs = {"field": folder / "field.nii.gz", "mask": folder / "mask.nii.gz"}
    network = {**inputs, "model": folder / "tiny.keras"}
    result = succeed(
        "reconstruct",
        **network,
        output=folder / "map.nii.gz",
        iterates=folder / "iterates",
    )
    (folder / "out.txt").write_text(result.out)
    (folder / "err.txt").write_text(result.err)
    succeed(
        "reconstruct",
        **network,
        output=folder / "bfloat16.nii",
        precision="bfloat16",
    )
    succeed(
        "reconstruct", **inputs, output=folder / "tikhonov.nii.gz", method="tikhonov"
    )
    return folder


def relative_difference(x, reference):
    return np.linalg.norm(x - reference) / np.linalg.norm(reference)


def test_map_is_on_the_grid_of_the_field(scan):
    image = nibabel.load(scan / "map.nii.gz")
    assert image.get_data_dtype() == np.float32
    assert image.shape == SHAPE
    np.testing.assert_allclose(image.affine, oblique_affine(), atol=1e-5)
    susceptibility = image.get_fdata()
    assert np.isfinite(susceptibility).all()
    assert not susceptibility[~mask()].any()
    assert susceptibility[mask()].std() > 0.001


def test_tells_how_much_of_the_field_fits_nothing(scan):
    field = read(scan / "field.nii.gz")
    some = np.arange(field.size).reshape(SHAPE) % 97 == 0
    write(scan / "spiked.nii.gz", np.where(some, 1, field))

    def reconstruct(name):
        """What was printed, and the share."""
        files = {"field": scan / f"{name}.nii.gz", "mask": scan / "mask.nii.gz"}
        result = succeed("reconstruct", **files, output=scan / f"of_{name}.nii.gz")
        return result.out, read_json(scan / f"of_{name}.json")["FieldLeftOut"]

    told, left_out = reconstruct("field")
    assert left_out == 0 and "left out" not in told
    told, left_out = reconstruct("spiked")
    assert 0.005 < left_out < 0.02
    assert f"{left_out:.2g} of the mask" in told


def test_read_json(scan):
    content = read_json(scan / "map.json")
    seconds, residuals = content.pop("WallTime"), content.pop("SolverResidual")
    iterations = content.pop("SolverIterations")
    consistency = content.pop("DataConsistencyError")
    assert content.pop("VoxelSize") == pytest.approx(VOXEL_SIZE, abs=1e-5)
    b0 = affine_b0_direction(oblique_affine())
    assert content.pop("B0Direction") == pytest.approx(b0, abs=1e-5)
    assert content == {
        "Units": "ppm",
        "Method": "spinet",
        "Model": "tiny.keras",
        "Lambda": pytest.approx(0.5),
        "P": pytest.approx(1.5),
        "AdaptivePenalty": False,
        "DipoleAtZero": 0.0,
        "Precision": "float32",
        "SolverTolerance": 1e-4,
        "Field": str(scan / "field.nii.gz"),
        "FieldUnits": "ppm",
        "FieldStrength": None,
        "EchoTime": None,
        "Mask": str(scan / "mask.nii.gz"),
        "MaskThreshold": None,
        "Padding": 0.0,
        "PaddedSize": list(SHAPE),
        "VoxelParts": None,
        "Axes": "RAS",
        "Reference": "none",
        "Software": "spinet-tf",
        "SoftwareVersion": __version__,
    }
    assert seconds > 0
    assert len(iterations) == len(residuals) == 2
    assert min(iterations) >= 1
    assert 0 < max(residuals) <= 1e-4
    assert 0 < consistency < 1


def test_sidecar_of_a_classical_method(scan):
    content = read_json(scan / "tikhonov.json")
    assert content["Method"] == "tikhonov"
    assert not {"Model", "Lambda", "P", "SolverIterations"} & set(content)
    assert 0 < content["DataConsistencyError"] < 1


def test_iterates(scan):
    names = sorted(path.name for path in (scan / "iterates").iterdir())
    assert names == ["unroll-1.nii.gz", "unroll-2.nii.gz"]
    first, last = (read(scan / "iterates" / name) for name in names)
    np.testing.assert_array_equal(last, read(scan / "map.nii.gz"))
    assert relative_difference(first, last) > 1e-3


def test_pictures(scan):
    for name in ("map.png", "bfloat16.png", "tikhonov.png"):
        assert (scan / name).read_bytes().startswith(PNG)


def test_what_it_prints(scan):
    b0 = ", ".join(f"{c:.6g}" for c in read_json(scan / "map.json")["B0Direction"])
    lines = (scan / "out.txt").read_text().splitlines()
    assert lines[:2] == [
        "voxel size    1.1 x 0.9 x 1.6 mm (from the affine)",
        f"B0 direction  {b0} in voxel axes (from the affine)",
    ]
    assert lines[-5:] == [
        f"wrote {scan / name}"
        for name in ("map.nii.gz", "map.json", "map.png")
        + ("iterates/unroll-1.nii.gz", "iterates/unroll-2.nii.gz")
    ]
    progress = (scan / "err.txt").read_text().splitlines()
    assert [line.split(":")[0] for line in progress] == [
        "unroll 1 of 2",
        "unroll 2 of 2",
    ]


def test_bfloat16_is_near_float32(scan):
    exact, rounded = read(scan / "map.nii.gz"), read(scan / "bfloat16.nii")
    assert 1e-6 < relative_difference(rounded, exact) < 1e-2
    assert read_json(scan / "bfloat16.json")["Precision"] == "bfloat16"


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
    difference = relative_difference(
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
    difference = relative_difference(image.get_fdata(), read(scan / "map.nii.gz"))
    assert difference < 1e-3


def test_a_matlab_field_lies_where_its_mask_does(scan, tmp_path):
    write_v5(tmp_path / "scan.mat", phs=read(scan / "field.nii.gz"))
    result = succeed(
        "reconstruct",
        field=tmp_path / "scan.mat",
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
    difference = relative_difference(image.get_fdata(), read(scan / "tikhonov.nii.gz"))
    assert difference < 1e-5
    succeed(
        "reconstruct",
        field=tmp_path / "scan.mat",
        mask=scan / "mask.nii.gz",
        voxel_size="1,1,2",  # of which the mask's affine does not know
        method="tikhonov",
        output=tmp_path / "other.nii.gz",
    )
    header = nibabel.load(tmp_path / "other.nii.gz").header
    assert header.get_zooms() == (1, 1, 2)
    assert (header["sform_code"], header["qform_code"]) == (0, 0)


def test_b0_of_the_command_line_replaces_that_of_the_affine(scan, tmp_path):
    flags = ("--field", scan / "field.nii.gz", "--mask", scan / "mask.nii.gz")
    flags += ("--method", "tkd", "--output", tmp_path / "map.nii")
    result = run_words("reconstruct", *flags, "--b0-dir", "-0.5,0,0")
    assert result.exit_code == 0, result.err
    assert "B0 direction  -1, 0, 0 in voxel axes (from the command line)" in result.out
    other = read(tmp_path / "map.nii")
    result = run_words("reconstruct", *flags)
    assert result.exit_code == 0, result.err
    assert relative_difference(other, read(tmp_path / "map.nii")) > 0.1


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
    assert relative_difference(*maps) < 1e-6


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
    assert (
        relative_difference(read(tmp_path / "map.nii"), expected.susceptibility) < 1e-6
    )


def test_existing_outputs_are_replaced(scan, tmp_path):
    flags = {
        "field": scan / "field.nii.gz",
        "mask": scan / "mask.nii.gz",
        "output": tmp_path / "map.nii",
        "method": "tikhonov",
    }
    for name in ("map.nii", "map.json", "map.png"):
        (tmp_path / name).write_text("old")
    succeed("reconstruct", **flags)
    assert len(listing(tmp_path)) == 3
    assert read_json(tmp_path / "map.json")["Method"] == "tikhonov"


def test_a_solve_that_did_not_converge_is_told(scan, tmp_path):
    model = SpiNetQSM(
        filters=4, blocks=1, unrolls=2, initial_p=1.2, tolerance=1e-6, max_iterations=1
    )
    save_model(model, tmp_path / "hasty.keras")
    result = succeed(
        "reconstruct",
        field=scan / "field.nii.gz",
        mask=scan / "mask.nii.gz",
        model=tmp_path / "hasty.keras",
        output=tmp_path / "map.nii",
    )
    assert "warning: 2 of 2 solves stopped at the limit of iterations" in result.err
