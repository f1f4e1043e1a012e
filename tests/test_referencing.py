"""`spinet-qsm reconstruct --reference`: the zero of susceptibility."""

import numpy as np
import pytest

from tests.command_line import (
    SHAPE,
    make_scan,
    mask,
    oblique_affine,
    read,
    read_json,
    refused,
    succeed,
    write,
)


def region():
    """Voxels in the middle of the brain."""
    inside = np.zeros(SHAPE, bool)
    inside[7:10, 8:12, 6:9] = True
    return inside


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = make_scan(tmp_path_factory)
    write(folder / "csf.nii", region().astype(np.uint8))
    return folder


@pytest.fixture
def flags(flags, tmp_path):
    """Those of all methods."""
    del flags["method"]
    return {**flags, "output": tmp_path / "map.nii"}


METHODS = [
    {"method": "tkd"},
    {"method": "tikhonov"},
    {"model": "tiny.keras"},
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("choice", ["mean", "csf.nii"])
def test_mean_of_the_region_is_zero(scan, flags, tmp_path, method, choice):
    if "model" in method:
        method = {"model": scan / method["model"]}
    succeed("reconstruct", **flags, **method)
    assert read_json(tmp_path / "map.json")["Reference"] == "none"
    before = read(tmp_path / "map.nii")
    is_file = choice != "mean"
    averaged = region() if is_file else mask()
    choice = scan / choice if is_file else choice
    succeed("reconstruct", **flags, **method, reference=choice)
    after, told = read(tmp_path / "map.nii"), read_json(tmp_path / "map.json")
    value = before[averaged].mean(dtype=float)
    assert abs(value) > 1e-5
    np.testing.assert_allclose(after[mask()], before[mask()] - value, atol=1e-7)
    assert abs(after[averaged].mean(dtype=float)) < 1e-7
    assert not after[~mask()].any()
    assert told["Reference"] == ("region" if is_file else "mean")
    assert told["ReferenceFile"] == (str(choice) if is_file else None)
    assert told["ReferenceVoxels"] == np.count_nonzero(averaged)
    assert told["ReferenceValue"] == pytest.approx(value, rel=1e-4)


def test_iterates(scan, flags, tmp_path):
    choice = {"reference": scan / "csf.nii", "iterates": tmp_path / "all"}
    succeed("reconstruct", **flags, model=scan / "tiny.keras", **choice)
    first, last = (read(tmp_path / "all" / f"unroll-{k}.nii.gz") for k in (1, 2))
    np.testing.assert_array_equal(last, read(flags["output"]))
    for iterate in (first, last):
        assert abs(iterate[region()].mean(dtype=float)) < 1e-7
        assert not iterate[~mask()].any()
    assert np.abs(first - last).max() > 1e-4


def test_only_voxels_in_the_mask_are_averaged(scan, flags, tmp_path):
    wide = region()
    wide[:, 8:12, 6:9] = True
    outside = np.count_nonzero(wide & ~mask())
    path = write(tmp_path / "wide.nii", wide.astype(np.uint8))
    result = succeed("reconstruct", **flags, method="tkd", reference=path)
    assert result.err == (
        f"spinet-qsm: warning: {path}: {outside} of {np.count_nonzero(wide)} voxels of"
        " the reference region lie outside the mask; they are not used\n"
    )
    voxels = read_json(tmp_path / "map.json")["ReferenceVoxels"]
    assert voxels == np.count_nonzero(wide & mask())
    assert abs(read(tmp_path / "map.nii")[wide & mask()].mean(dtype=float)) < 1e-7


def test_probability_region(scan, flags, tmp_path):
    probability = np.where(region(), 0.9, 0.2).astype(np.float32)
    path = write(tmp_path / "csf.nii", probability)
    succeed("reconstruct", **flags, method="tkd", reference=path, mask_threshold=0.5)
    voxels = read_json(tmp_path / "map.json")["ReferenceVoxels"]
    assert voxels == np.count_nonzero(region())


@pytest.mark.parametrize(
    ("data", "degrees", "message"),
    [
        (np.zeros(SHAPE), (20, 10), "csf.nii: the mask is empty"),
        (~mask(), (20, 10), "csf.nii: the reference region lies outside the mask"),
        (region()[1:], (20, 10), r"csf.nii: shape \(.*\) differs from"),
        (region(), (0, 10), "csf.nii: the affine differs from that of"),
        (
            0.3 * region(),
            (20, 10),
            "csf.nii: a mask holds only 0 and 1.*--mask-threshold$",
        ),
    ],
)
def test_a_wrong_region(flags, tmp_path, monkeypatch, data, degrees, message):
    def work(*_):
        pytest.fail("it must be refused before the work")

    monkeypatch.setattr("spinet_cli.methods.reconstruct_classical", work)
    affine = oblique_affine(degrees)
    path = write(tmp_path / "csf.nii", np.asarray(data, np.float32), affine)
    refused(tmp_path, message, "reconstruct", **flags, method="tkd", reference=path)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("none.nii", "none.nii: no such file"),
        ("median", "median: no such file"),
        (".", "expected a file, it is a folder"),
    ],
)
def test_no_region(flags, tmp_path, choice, message):
    flags = {**flags, "method": "tkd", "reference": choice}
    refused(tmp_path, message, "reconstruct", **flags)


def test_output_that_is_the_region(scan, flags, tmp_path):
    path = write(tmp_path / "csf.nii", region().astype(np.uint8))
    flags = {**flags, "method": "tkd", "reference": path, "output": path}
    message = "csf.nii: would replace the input"
    refused(tmp_path, message, "reconstruct", **flags)


def test_a_threshold_is_not_for_a_region_of_0_and_1(flags, tmp_path):
    """The brain mask may hold 0 and 255, and the region 0 and 1."""
    brain = write(tmp_path / "brain.nii", 255 * mask().astype(np.uint8))
    region = mask().copy()
    region[:9] = False
    path = write(tmp_path / "region.nii", region.astype(np.uint8))
    flags = {**flags, "method": "tkd", "mask": brain, "output": tmp_path / "m.nii"}
    succeed("reconstruct", **flags, reference=path, mask_threshold=127)
    assert read_json(tmp_path / "m.json")["ReferenceVoxels"] == region.sum()


def test_a_region_in_the_mask_is_not_warned_of(scan, flags):
    reference = scan / "csf.nii"
    result = succeed("reconstruct", **flags, method="tkd", reference=reference)
    assert "warning" not in result.err
