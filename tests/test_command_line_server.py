"""`spinet-qsm reconstruct --server` with other flags, and thick slices."""

import functools

import nibabel
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, ornt_transform

from spinet_tf.model_files import save_model
from spinet_tf.padding import reconstruct_padded
from spinet_tf.reconstruct import Reconstructor
from spinet_tf.thick_slices import reconstruct_thin
from tests.command_line import (
    mask,
    read,
    read_json,
    refused,
    succeed,
    write,
    write_scan,
)
from tests.served import server_process
from tests.web_page import open_page


@pytest.fixture(scope="module")
def flags(tmp_path_factory, exported):
    """Flags that let a server work."""
    folder = tmp_path_factory.mktemp("scan")
    write_scan(folder)
    with server_process(exported[1].parent) as (_, address):
        yield {
            "field": folder / "field.nii.gz",
            "mask": folder / "mask.nii.gz",
            "server": address,
        }


def test_reference_iterates_and_report(flags, tmp_path):
    output, report = tmp_path / "map.nii", tmp_path / "map.html"
    succeed("reconstruct", **flags, output=output)
    expected = read(output)
    expected -= expected[mask()].mean(dtype=float) * mask()
    succeed(
        "reconstruct",
        **flags,
        output=output,
        reference="mean",
        iterates=tmp_path / "all",
    )
    np.testing.assert_allclose(read(output), expected, atol=1e-6)
    iterates = sorted((tmp_path / "all").iterdir())
    np.testing.assert_array_equal(read(iterates[-1]), read(output))
    assert abs(read(iterates[0])[mask()].mean(dtype=float)) < 1e-7
    succeed("reconstruct", **flags, output=output, reference="mean", report=report)
    np.testing.assert_allclose(read(output), expected, atol=1e-6)
    page = open_page(report)
    iterations = read_json(tmp_path / "map.json")["SolverIterations"]
    for k, count in enumerate(iterations, start=1):
        assert page.row(str(k))[:3] == ["-", "-", str(count)]
    assert "the map after every unroll" in page.text


def test_holes_in_the_mask_are_told(flags, tmp_path):
    brain = mask()
    brain[9, 9, 6] = False
    path = write(tmp_path / "holes.nii", brain.astype(np.uint8))
    told = "holes.nii: the mask has holes, of 1 voxels, and an exported network looks"
    output = tmp_path / "map.nii"
    assert told in succeed("reconstruct", **{**flags, "mask": path}, output=output).err
    assert "holes" not in succeed("reconstruct", **flags, output=output).err


def test_another_order_of_axes(flags, tmp_path):
    succeed("reconstruct", **flags, output=tmp_path / "map.nii")
    there = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt("PSL"))
    turned = {}
    for name in ("field", "mask"):
        image = nibabel.load(flags[name]).as_reoriented(there)
        turned[name] = tmp_path / f"{name}.nii"
        nibabel.save(image, turned[name])
    succeed("reconstruct", **{**flags, **turned}, output=tmp_path / "turned.nii")
    back = nibabel.as_closest_canonical(nibabel.load(tmp_path / "turned.nii"))
    np.testing.assert_allclose(back.get_fdata(), read(tmp_path / "map.nii"), atol=1e-6)


@pytest.mark.parametrize("at", ["server", "model"])
def test_thick_slices_with_padding_and_a_report(flags, exported, tmp_path, at):
    model, _ = exported
    save_model(model, tmp_path / "small.keras")
    where = {"server": flags["server"], "model": tmp_path / "small.keras"}[at]
    output, report = tmp_path / "map.nii", tmp_path / "map.html"
    files = {name: flags[name] for name in ("field", "mask")}
    options = {at: where, "voxel_size": "1,2.5,1", "pad": 6}
    succeed("reconstruct", **files, **options, output=output, report=report)
    sidecar = read_json(tmp_path / "map.json")
    assert sidecar["VoxelParts"] == [1, 2, 1]
    solve = functools.partial(reconstruct_thin, Reconstructor(model))
    expected = reconstruct_padded(
        *(solve, 6, False),
        *(read(flags["field"]), mask(), sidecar["VoxelSize"], sidecar["B0Direction"]),
    )
    np.testing.assert_allclose(read(output), expected.susceptibility, atol=1e-5)
    misfit = pytest.approx(expected.data_consistency, rel=1e-3)
    assert sidecar["DataConsistencyError"] == misfit
    page = open_page(report)
    for k, unroll in enumerate(expected.unrolls, start=1):
        assert page.row(str(k))[2] == str(unroll.iterations)


@pytest.mark.parametrize(
    "server", ["host", "host:", "host:99999", ":80", "host:0", "::1", " a:1"]
)
def test_an_address_without_a_port(flags, tmp_path, server):
    message = f"--server: expected HOST:PORT, got '{server}'"
    changed = {**flags, "server": server, "output": tmp_path / "map.nii"}
    refused(tmp_path, message, "reconstruct", **changed)


@pytest.mark.parametrize("form", ["dns:///{}", "ipv4:{}", "{}"])
def test_forms_of_an_address(flags, tmp_path, form):
    changed = {**flags, "server": form.format(flags["server"])}
    succeed("reconstruct", **changed, output=tmp_path / "map.nii")
