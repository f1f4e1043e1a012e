"""Reports: the files they name, and what they say of them."""

import re

import numpy as np
import pytest

from spinet_tf.model_files import save_model
from tests.command_line import (
    SHAPE,
    mask,
    read_json,
    succeed,
    susceptibility,
    write,
)
from tests.networks import perturbed_model
from tests.web_page import open_page


def test_an_evaluation_tells_its_files_and_what_was_odd(scan, tmp_path):
    holes = susceptibility()
    holes[9, 9, 6] = np.nan
    files = {
        "reconstruction": write(tmp_path / "holes.nii", holes),
        "reference": scan / "chi.nii.gz",
        "mask": scan / "mask.nii.gz",
        "segmentation": write(tmp_path / "labels.nii", np.full(SHAPE, 8, np.int16)),
    }
    succeed("evaluate", **files, report=tmp_path / "scores.html")
    page = open_page(tmp_path / "scores.html")
    assert "holes.nii: 1 voxels inside the mask are NaN" in page.text
    for path in files.values():
        assert page.row(str(path)) == [str(path), str(path.stat().st_size)]


def test_the_reference_region_and_the_residual_of_a_network_with_a_mean(scan, tmp_path):
    """With D(0) = 1/3 a map's mean has a field, too."""
    model = perturbed_model(dc_value=1 / 3)
    save_model(model, tmp_path / "model.keras")
    region = write(tmp_path / "region.nii", mask().astype(np.uint8))
    succeed(
        "reconstruct",
        field=scan / "field.nii.gz",
        mask=scan / "mask.nii.gz",
        model=tmp_path / "model.keras",
        reference=region,
        output=tmp_path / "map.nii",
        report=tmp_path / "map.html",
    )
    page, sidecar = open_page(tmp_path / "map.html"), read_json(tmp_path / "map.json")
    assert page.row(str(region))[0] == str(region)
    told = re.search(r"over that of the field is ([0-9.]+)\. ", page.text)[1]
    assert float(told) == pytest.approx(sidecar["DataConsistencyError"], abs=1e-4)
