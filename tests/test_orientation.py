"""The same head in any order of axes gives the same map in the same place."""

import itertools

import nibabel
import numpy as np
import pytest
from nibabel.orientations import (
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)

from benchmarks.agreement import relative_error
from spinet_tf.model_files import load_model
from spinet_tf.orientation import CanonicalAxes
from spinet_tf.reconstruct import Reconstructor
from spinet_tf.volume import affine_b0_direction
from tests.command_line import (
    SHAPE,
    VOXEL_SIZE,
    mask,
    oblique_affine,
    read,
    read_json,
    succeed,
    write_model,
    write_scan,
)

ORIENTATIONS = ["RAS", "LPS", "LAS", "PSR", "ASL", "IRP"]
METHODS = {
    "tkd": {"method": "tkd"},
    "tikhonov": {"method": "tikhonov"},
    "spinet": {"model": "tiny.keras"},
}


def stored_as(image, codes):
    """The image with other axes, its voxels in the same places."""
    there = ornt_transform(io_orientation(image.affine), axcodes2ornt(codes))
    return image.as_reoriented(there)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """An oblique scan in every orientation, a folder each, and its maps as it is."""
    folder = tmp_path_factory.mktemp("scans")
    write_scan(folder)
    write_model(folder / "tiny.keras")
    for codes in ORIENTATIONS:
        (folder / codes).mkdir()
        for name in ("field.nii.gz", "mask.nii.gz"):
            image = stored_as(nibabel.load(folder / name), codes)
            nibabel.save(image, folder / codes / name)
    for method in METHODS:
        reconstruct(folder, "RAS", folder / f"{method}.nii", method)
    return folder


def reconstruct(scans, codes, output, method, **flags):
    method = dict(METHODS[method])
    if "model" in method:
        method["model"] = scans / method["model"]
    folder = scans / codes
    inputs = {"field": folder / "field.nii.gz", "mask": folder / "mask.nii.gz"}
    succeed("reconstruct", **inputs, **method, **flags, output=output)
    return nibabel.load(output)


@pytest.mark.parametrize("codes", ORIENTATIONS[1:])
@pytest.mark.parametrize("method", METHODS)
def test_same_map_in_the_same_place(scans, tmp_path, method, codes):
    found = reconstruct(scans, codes, tmp_path / "map.nii", method)
    field = nibabel.load(scans / codes / "field.nii.gz")
    assert "".join(nibabel.aff2axcodes(found.affine)) == codes
    assert found.shape == field.shape
    np.testing.assert_allclose(found.affine, field.affine, atol=1e-5)
    assert read_json(tmp_path / "map.json")["Axes"] == codes
    expected = nibabel.load(scans / f"{method}.nii")
    back = stored_as(found, "RAS")
    np.testing.assert_allclose(back.affine, expected.affine, atol=1e-5)
    assert relative_error(back.get_fdata(), expected.get_fdata()) < 1e-6


def test_iterates_are_turned_back_too(scans, tmp_path):
    flags = {"iterates": tmp_path / "all", "output": tmp_path / "map.nii"}
    found = reconstruct(scans, "PSR", method="spinet", **flags)
    last = nibabel.load(tmp_path / "all" / "unroll-2.nii.gz")
    np.testing.assert_array_equal(last.get_fdata(), found.get_fdata())


def test_a_network_alone_would_tell_the_axes_apart(scans):
    """What the turning is for: a flip moves the answer of an untrained network."""
    field, shape = read(scans / "field.nii.gz"), mask()
    solve = Reconstructor(load_model(scans / "tiny.keras"))
    maps = [
        solve(field[flip], shape[flip], VOXEL_SIZE, (0, 0, 1)).susceptibility[flip]
        for flip in (np.s_[:, :, :], np.s_[::-1, ::-1, :])
    ]
    assert relative_error(*maps) > 1e-3


@pytest.mark.parametrize("codes", ["LAS", "PSR", "IRP"])
@pytest.mark.parametrize("method", ["tkd", "spinet"])
def test_flags_are_in_the_axes_of_the_file(scans, tmp_path, method, codes):
    """B0 tilted in the scanner, and other voxel sizes, told in each file's own axes."""
    b0 = np.array([0.5, -0.3, 0.8])
    sizes = {"R": 1.3, "A": 0.8, "S": 2.1}
    maps = []
    for axes in ("RAS", codes):
        affine = nibabel.load(scans / axes / "field.nii.gz").affine[:3, :3]
        direction = (affine / np.linalg.norm(affine, axis=0)).T @ b0
        edges = [sizes[{"L": "R", "P": "A", "I": "S"}.get(a, a)] for a in axes]
        found = reconstruct(
            scans,
            axes,
            tmp_path / "map.nii",
            method,
            b0_dir=",".join(map(str, direction)),
            voxel_size=",".join(map(str, edges)),
        )
        told = read_json(tmp_path / "map.json")
        assert told["VoxelSize"] == edges
        unit = direction / np.linalg.norm(direction)
        assert told["B0Direction"] == pytest.approx(unit, abs=1e-5)
        maps.append(stored_as(found, "RAS").get_fdata())
    assert relative_error(*maps) < 1e-6
    assert relative_error(maps[0], read(scans / f"{method}.nii")) > 0.05


EVERY_ORIENTATION = [
    "".join(codes)
    for order in itertools.permutations(["RL", "AP", "SI"])
    for codes in itertools.product(*order)
]


@pytest.mark.parametrize("codes", EVERY_ORIENTATION)
def test_turning_there_and_back(codes):
    canonical = oblique_affine()
    there = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    stored = canonical @ inv_ornt_aff(there, SHAPE)
    volume = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    turned = nibabel.Nifti1Image(volume, canonical).as_reoriented(there)
    np.testing.assert_allclose(turned.affine, stored, atol=1e-12)
    axes = CanonicalAxes(stored)
    assert axes.codes == codes
    data = np.asarray(turned.dataobj)
    np.testing.assert_array_equal(axes.turn(data), volume)
    np.testing.assert_array_equal(axes.turn_back(axes.turn(data)), data)
    assert axes.turn(data).flags.c_contiguous
    edges = np.linalg.norm(stored[:3, :3], axis=0)
    assert axes.turn_edges(edges) == pytest.approx(VOXEL_SIZE)
    b0 = axes.turn_direction(affine_b0_direction(stored))
    assert b0 == pytest.approx(affine_b0_direction(canonical))


def test_without_an_affine_nothing_is_turned():
    axes = CanonicalAxes(None)
    volume = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    assert axes.codes is None
    np.testing.assert_array_equal(axes.turn(volume), volume)
    assert axes.turn_direction((0.6, -0.8, 0)) == (0.6, -0.8, 0)
    assert axes.turn_edges(VOXEL_SIZE) == VOXEL_SIZE
