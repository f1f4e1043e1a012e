"""Susceptibility maps that are in ppb, and rules of the masks and labels with them."""

import numpy as np
import pytest

from tests.command_line import (
    evaluate,
    mask,
    read,
    refused,
    run,
    succeed,
    susceptibility,
    write,
)


def told_of(path, deviation):
    return (
        f"spinet-qsm: warning: {path}: the standard deviation in the mask is"
        f" {deviation:.3g} ppm, of a brain about 0.03 ppm; is it in ppb?\n"
    )


@pytest.mark.parametrize(("scale", "told"), [(1000, True), (10, False)])
def test_a_map_in_ppb_is_told(scan, tmp_path, scale, told):
    chi = susceptibility() * np.float32(scale)
    path = write(tmp_path / "chi.nii", chi)
    expected = told_of(path, chi[mask()].std()) if told else ""
    simulated = succeed(
        "simulate",
        susceptibility=path,
        mask=scan / "mask.nii.gz",
        output=tmp_path / "field.nii",
    )
    assert simulated.err == expected
    report = tmp_path / "report.html"
    assert evaluate(scan, reference=path, report=report).err == expected
    assert ("is it in ppb?" in report.read_text()) == told
    chi[8, 10, 8] = np.nan
    write(path, chi)
    assert ("is it in ppb?" in evaluate(scan, reconstruction=path).err) == told


def test_simulate_takes_a_probability_mask(scan, tmp_path):
    probability = np.where(mask(), 0.9, 0.2).astype(np.float32)
    flags = {
        "susceptibility": scan / "chi.nii.gz",
        "mask": write(tmp_path / "mask.nii", probability),
        "output": tmp_path / "field.nii",
    }
    succeed("simulate", **flags, mask_threshold=0.5)
    np.testing.assert_array_equal(
        read(tmp_path / "field.nii"), read(scan / "field.nii.gz")
    )
    assert "needs --mask-threshold" in run("simulate", **flags).err


def test_a_mask_that_is_almost_one_is_refused(scan, tmp_path):
    almost = write(tmp_path / "mask.nii", np.where(mask(), 0.96, 0).astype(np.float32))
    refused(
        *(tmp_path, "a mask holds only 0 and 1, this .* such as 0.96", "reconstruct"),
        field=scan / "field.nii.gz",
        mask=almost,
        method="tkd",
        output=tmp_path / "map.nii",
    )


@pytest.mark.parametrize(("label", "taken"), [(1.2, False), (1.0005, True)])
def test_labels_are_integers_but_for_rounding(scan, tmp_path, label, taken):
    labels = np.where(mask(), label, 0).astype(np.float32)
    flags = {
        "reconstruction": scan / "tikhonov.nii.gz",
        "reference": scan / "chi.nii.gz",
        "mask": scan / "mask.nii.gz",
        "segmentation": write(tmp_path / "labels.nii", labels),
    }
    if taken:
        succeed("evaluate", **flags)
    else:
        refused(tmp_path, "integer labels below .* found 1.2$", "evaluate", **flags)
