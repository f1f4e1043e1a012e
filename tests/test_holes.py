"""Holes in a mask, in which sources may be."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from spinet_cli.one_scan import _warn_of_holes
from spinet_tf import reconstruct as module
from spinet_tf.dipole_operator import filter_volume
from spinet_tf.holes import fill_holes
from spinet_tf.metrics_challenge import challenge_metrics
from spinet_tf.model_files import load_model
from spinet_tf.phantom import digital_head
from spinet_tf.pretrained import PRETRAINED
from spinet_tf.reconstruct import Reconstructor
from spinet_tf.simulate import simulate_field
from tests.networks import VARIANTS, small_model

B0 = (0.0, 0.0, 1.0)


def block(*outside):
    """A mask of 5^3 voxels in the middle of 7^3, without some."""
    mask = np.zeros((7, 7, 7), np.float32)
    mask[1:6, 1:6, 1:6] = 1
    for voxel in outside:
        mask[voxel] = 0
    return mask


def test_what_is_enclosed_is_filled():
    found = fill_holes(block((3, 3, 3), (3, 3, 4)))
    assert found.dtype == bool
    np.testing.assert_array_equal(found, block() != 0)
    np.testing.assert_array_equal(fill_holes(0 * block()), 0 * block() != 0)


def test_what_leads_out_by_faces_is_no_hole():
    way_out = block((3, 3, 3), (3, 3, 4), (3, 3, 5))
    np.testing.assert_array_equal(fill_holes(way_out), way_out != 0)
    # Edges and corners lead nowhere.
    np.testing.assert_array_equal(
        fill_holes(block((2, 2, 2), (1, 1, 2))), block((1, 1, 2)) != 0
    )
    # What is beyond a face of the volume is not known to be mask.
    at_face = block((3, 3, 3), (3, 3, 4), (3, 3, 5))[..., :6]
    np.testing.assert_array_equal(fill_holes(at_face), at_face != 0)


def scan_with_a_hole(strength):
    """A head with a strong source whose surroundings are cut out of the mask."""
    head = digital_head((64, 76, 56))
    from_centre = np.linalg.norm(np.indices(head.mask.shape).T - (40, 40, 33), axis=-1)
    chi = np.where(from_centre.T < 5, np.float32(strength), head.susceptibility)
    mask = head.mask & (from_centre.T >= 7)
    return chi, (simulate_field(chi, mask, head.voxel_size, B0, 0.002), mask)


@pytest.mark.parametrize(("strength", "most"), [(1.0, 48), (-1.0, 71)])
def test_a_source_in_a_hole_is_no_one_elses(strength, most):
    """NRMSE, in %; without sources in the hole 116 and 96, by Tikhonov 72 and 74."""
    chi, scan = scan_with_a_hole(strength)
    found = Reconstructor(load_model(PRETRAINED))(*scan, (1, 1, 1), B0)
    assert not found.susceptibility[~scan[1]].any()
    assert challenge_metrics(found.susceptibility, chi, scan[1])["nrmse"] < most


def batch_with_a_hole():
    """Inputs of a model."""
    mask = block((3, 3, 3))
    field = mask * np.random.default_rng(0).normal(0, 0.02, mask.shape)
    volumes = {"local_field": field, "mask": mask, "sources": block()}
    batch = {name: np.float32(x)[None, ..., None] for name, x in volumes.items()}
    return batch | {"voxel_size": np.ones((1, 3)), "b0_direction": np.array([B0])}


@pytest.mark.parametrize("variant", ["shipped", "paper"])
def test_equals_the_model_that_is_told_of_sources(variant, monkeypatch):
    """Where a network takes the field outside as it is, there are none in holes."""
    model = small_model(**VARIANTS[variant], tolerance=1e-6, max_iterations=200)
    batch = batch_with_a_hole()
    field, mask, sources = (batch[n][0, ..., 0] for n in list(batch)[:3])
    if not model.fill_outside:
        sources = mask
        del batch["sources"]
    told = model(batch).numpy()[0, ..., 0]
    assert (told[3, 3, 3] != 0) == model.fill_outside
    given = []
    monkeypatch.setattr(module, "choose_tiles", lambda *a: given.append(a[0]))
    result = Reconstructor(model)(field, mask, (1, 1, 1), B0)
    np.testing.assert_array_equal(given, [sources])  # where the CNN is to run
    scale = np.abs(told).max()
    for found in (result.susceptibility, result.unrolls[-1].susceptibility):
        np.testing.assert_allclose(found, mask * told, atol=1e-4 * scale)


def test_chi_0_is_other_than_zero_in_a_hole():
    batch = batch_with_a_hole()
    problem = small_model(fill_outside=True).prepare(batch)
    expected = filter_volume(batch["local_field"], problem.kernel).numpy()
    np.testing.assert_array_equal(problem.start, batch["sources"] * expected)


@pytest.mark.parametrize("runner", [None, "DirectRunner"])
def test_holes_are_told_where_an_exported_network_runs(runner):
    task = SimpleNamespace(flags=SimpleNamespace(server=None, runner=runner))
    volume = SimpleNamespace(name="m.nii", data=block((3, 3, 3), (3, 3, 4)) != 0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        _warn_of_holes(task, volume)
    assert len(told) == (runner is not None)
    assert all("m.nii: the mask has holes, of 2 voxels" in str(w.message) for w in told)


def test_a_network_that_takes_the_field_as_it_is_has_none_in_holes():
    batch = batch_with_a_hole()
    problem = small_model(fill_outside=False).prepare(batch)
    np.testing.assert_array_equal(problem.sources, batch["mask"])
