"""`spinet-qsm reconstruct` as its user runs it."""

from types import SimpleNamespace

import nibabel
import numpy as np
import pytest

from benchmarks.agreement import relative_error
from spinet_cli import one_scan
from spinet_tf import SpiNetQSM, __version__
from spinet_tf.errors import InputError
from spinet_tf.model_files import save_model
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
    succeed,
    write,
    write_model,
    write_scan,
)


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
    assert relative_error(first, last) > 1e-3


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
    assert 1e-6 < relative_error(rounded, exact) < 1e-2
    assert read_json(scan / "bfloat16.json")["Precision"] == "bfloat16"


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


def test_a_solve_is_loose_above_the_tolerance():
    unrolls = [SimpleNamespace(relative_residual=r) for r in (1e-4, 1.1e-4, 9e-3)]
    result = SimpleNamespace(unrolls=unrolls)
    message = "^2 of 3 solves .* of up to 9.0e-03, above the tolerance of 0.0001$"
    with pytest.warns(UserWarning, match=message):
        one_scan._warn_of_loose_solves(result, 1e-4)


def test_a_scan_is_solved_with_the_models_dipole_at_zero(monkeypatch):
    def solve_scan(*given):
        assert given == (task, "solve", "scan", 1 / 3)
        raise InputError("enough")

    monkeypatch.setattr(one_scan, "read_scan", lambda *_: "scan")
    monkeypatch.setattr(one_scan, "solve_scan", solve_scan)
    details = {"DipoleAtZero": 1 / 3}
    method = SimpleNamespace(unrolls=1, solve="solve", details=details)
    task = SimpleNamespace(iterates=None)
    with pytest.raises(InputError, match="enough"):
        one_scan.reconstruct_scan(task, method)
    monkeypatch.setattr(one_scan, "reconstruct_thin", lambda *given: given)
    thin = one_scan._solve_thin("solve", 1 / 3, "field", "mask", "size", "b0")
    assert thin == ("solve", "field", "mask", "size", "b0", 1 / 3)
