"""Masks that reach a face of the volume, and the picture beside a map."""

import nibabel
import numpy as np
import pytest

from spinet_cli import reconstruction_files
from tests.command_line import SHAPE, mask, read, read_json, succeed, write


@pytest.fixture
def in_figures(monkeypatch):
    """What `three_planes` was given."""
    calls, draw = [], reconstruction_files.three_planes

    def record(path, *given):
        calls.append(given)
        draw(path, *given)

    monkeypatch.setattr(reconstruction_files, "three_planes", record)
    return calls


@pytest.mark.parametrize(
    ("faces", "told"),
    [
        ([(slice(5, 9), slice(5, 9), 0)], "along z,"),
        ([(-1, 10, 8), (8, 0, 8)], "along x and y,"),
        ([(1, 10, 8), (8, -2, 8)], None),
    ],
)
@pytest.mark.parametrize("method", ["tkd", "tikhonov", "spinet"])
def test_a_mask_at_a_face_is_told(scan, network_flags, tmp_path, method, faces, told):
    brain = mask()
    for face in faces:
        brain[face] = True
    flags = {
        **network_flags,
        "method": method,
        "mask": write(tmp_path / "mask.nii", brain.astype(np.uint8)),
    }
    if method != "spinet":
        del flags["model"]
    warning = "the mask reaches a face of the volume"
    err = succeed("reconstruct", **flags).err
    assert (f"mask.nii: {warning} {told}" in err) == (told is not None)
    assert (warning in err) == (told is not None)
    if told:
        assert "--pad" in err
        assert warning not in succeed("reconstruct", **flags, pad=2).err


@pytest.mark.parametrize(("method", "padded"), [("tkd", 0), ("spinet", 1)])
def test_only_the_network_has_fast_matrix_sizes(
    network_flags, tmp_path, method, padded
):
    """47 is a prime number: one more voxel for the many transforms of the network."""
    field, brain = (
        np.pad(volume, [(0, 47 - SHAPE[0]), (0, 0), (0, 0)])
        for volume in (read(network_flags["field"]), mask().astype(np.uint8))
    )
    flags = {
        **network_flags,
        "field": write(tmp_path / "field.nii", field),
        "mask": write(tmp_path / "mask.nii", brain),
        "method": method,
    }
    if method == "tkd":
        del flags["model"]
    succeed("reconstruct", **flags)
    size = read_json(tmp_path / "map.json")["PaddedSize"]
    assert size == [47 + padded, *SHAPE[1:]]


def test_the_picture_is_of_the_referenced_map_in_canonical_axes(
    flags, tmp_path, in_figures
):
    """Of a scan stored with two axes exchanged and one the other way round."""
    for name in ("field", "mask"):
        stored = nibabel.load(flags[name]).as_reoriented([[1, 1], [0, -1], [2, 1]])
        path = flags[name] = tmp_path / f"{name}.nii"
        stored.to_filename(path)
    assert "".join(nibabel.aff2axcodes(stored.affine)) != "RAS"
    result = succeed("reconstruct", **flags, reference="mean")
    assert "warning" not in result.err
    ((volumes, brain, voxel_size, sides),) = in_figures
    expected = nibabel.as_closest_canonical(nibabel.load(flags["output"]))
    drawn = volumes["susceptibility"]
    np.testing.assert_array_equal(drawn, expected.get_fdata(dtype=np.float32))
    assert abs(drawn[brain].mean()) < 1e-6
    np.testing.assert_array_equal(brain, mask())
    assert voxel_size == pytest.approx((1.1, 0.9, 1.6))
    assert sides == "LR"


@pytest.mark.parametrize(("share", "told"), [(-0.6, True), (0.4, False)])
def test_an_offset_of_the_field_is_told(flags, tmp_path, share, told):
    brain, field = mask(), read(flags["field"])
    inside = field[brain]
    offset = share * inside.std() - inside.mean()
    path = write(tmp_path / "field.nii", field + np.float32(offset) * brain)
    err = succeed("reconstruct", **{**flags, "field": path}).err
    message = "field.nii: the mean of the field in the mask is 0.6 of its standard"
    assert (message in err) == told
    assert ("an offset" in err) == told
