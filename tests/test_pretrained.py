"""The network that ships, and the README's example of it."""

import re

import numpy as np
import pytest

from spinet_tf import PRETRAINED
from spinet_tf.classical import CLASSICAL_METHODS
from spinet_tf.evaluate import evaluate
from spinet_tf.model_files import load_model
from spinet_tf.phantom import digital_head
from spinet_tf.reconstruct import Reconstructor, reconstruct_classical
from spinet_tf.simulate import simulate_field
from tests.conftest import ROOT

CENTRE = (62, 60, 50)  # in white matter


def test_beats_the_classical_methods_on_a_tilted_head():
    assert PRETRAINED.stat().st_size < 4 * 2**20
    head = digital_head()
    b0 = (0.0, 0.5, 0.866)
    field = simulate_field(head.susceptibility, head.mask, head.voxel_size, b0, 0.002)
    scan = (field, head.mask, head.voxel_size, b0)
    network = Reconstructor(load_model(PRETRAINED))(*scan).susceptibility
    ours = evaluate(network, head.susceptibility, head.mask)["challenge"]
    for method in CLASSICAL_METHODS.values():
        chi = reconstruct_classical(method, *scan).susceptibility
        theirs = evaluate(chi, head.susceptibility, head.mask)["challenge"]
        assert ours["nrmse"] < 0.85 * theirs["nrmse"]
        assert ours["xsim"] > theirs["xsim"]


@pytest.mark.parametrize(("strength", "least"), [(-1.0, 0.8), (1.0, 0.95)])
def test_keeps_small_strong_sources(strength, least):
    """They are no outliers, though the first fit has but a part of them."""
    head, b0 = digital_head(), (0, 0, 1)
    from_centre = np.linalg.norm(np.indices(head.mask.shape).T - CENTRE, axis=-1).T
    source = from_centre < 2
    chi = np.where(source, np.float32(strength), head.susceptibility)
    field = simulate_field(chi, head.mask, head.voxel_size, b0, 0.002)
    network = Reconstructor(load_model(PRETRAINED))
    found = network(field, head.mask, head.voxel_size, b0).susceptibility
    assert least < found[source].mean() / strength < 1.05


@pytest.mark.parametrize(("noise", "most"), [(0.002, 32), (0.03, 85)])
def test_withstands_noise(noise, most):
    """NRMSE, in %; TKD with its default threshold comes to 48 and to 500."""
    head, b0 = digital_head(), (0, 0, 1)
    field = simulate_field(head.susceptibility, head.mask, head.voxel_size, b0, noise)
    network = Reconstructor(load_model(PRETRAINED))
    found = network(field, head.mask, head.voxel_size, b0).susceptibility
    metrics = evaluate(found, head.susceptibility, head.mask)["challenge"]
    assert metrics["nrmse"] < most


def test_example_of_the_readme_runs():
    section = (ROOT / "README.md").read_text().split("## From Python")[1]
    code = "\n".join(re.findall(r"^(?:    (.*)|)$", section.split("\n## ")[0], re.M))
    names = {}
    exec(code, names)
    assert names["chi"].shape == (1, 32, 32, 32, 1)
    assert np.isfinite(names["chi"]).all()
