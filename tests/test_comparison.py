import numpy as np
import pytest
from matplotlib.image import imread

from spinet_tf.classical import tikhonov, tkd
from spinet_tf.comparison import (
    Scan,
    compare,
    format_comparison,
    measured_scans,
    tuned_classical_methods,
)
from spinet_tf.metrics_challenge import challenge_metrics
from spinet_tf.phantom import digital_head
from spinet_tf.reconstruct import reconstruct_classical
from spinet_tf.reconstruction import Reconstruction
from spinet_tf.simulate import simulate_field
from tests.stored_examples import stored_examples


def scan(noise, seed=0):
    head = digital_head((36, 40, 32))
    b0 = (0.0, 0.6, 0.8)
    field = simulate_field(
        head.susceptibility, head.mask, head.voxel_size, b0, noise, seed
    )
    inputs = (field, head.mask.astype("float32"), head.voxel_size, b0)
    return Scan(inputs, head.susceptibility)


def nearly_true(factor):
    def reconstruct(*inputs):
        return Reconstruction(factor * scan(0.0).truth, 0.0, [], 0.0)

    return reconstruct


def test_more_noise_asks_for_more_regularisation():
    little, much = (tuned_classical_methods([scan(n)]) for n in (1e-4, 0.02))
    for method in ("tkd", "tikhonov"):
        chosen = [
            float(name.split()[1])
            for methods in (little, much)
            for name in methods
            if name.startswith(f"{method} ")
        ]
        assert chosen[0] < chosen[1]


def test_the_tuned_parameter_is_the_one_that_is_used():
    tuned = tuned_classical_methods([scan(0.002)])
    for name, reconstruct in tuned.items():
        method, value = name.split()
        expected = {
            "tkd": lambda *a, v=float(value): tkd(*a, threshold=v),
            "tikhonov": lambda *a, v=float(value): tikhonov(*a, weight=v),
        }[method]
        inputs = scan(0.002).inputs
        np.testing.assert_array_equal(
            reconstruct(*inputs).susceptibility,
            reconstruct_classical(expected, *inputs).susceptibility,
        )


def test_means_over_scans():
    scans = [scan(0.002, seed) for seed in (0, 1)]
    methods = tuned_classical_methods(scans)
    name, reconstruct = next(iter(methods.items()))
    table = compare(methods, scans)
    expected = [
        challenge_metrics(reconstruct(*s.inputs).susceptibility, s.truth, s.inputs[1])
        for s in scans
    ]
    assert table[name][0] == pytest.approx(np.mean([e["nrmse"] for e in expected]))
    assert table[name][2] == pytest.approx(np.mean([e["xsim"] for e in expected]))


def test_table_tells_what_the_network_gains():
    table = compare({"a": nearly_true(0.5), "net": nearly_true(0.9)}, [scan(0.0)])
    lines = format_comparison(table, "net").splitlines()
    assert lines[1].split() == ["a", "50.0", *lines[1].split()[2:4], "80%", "80%"]
    assert lines[2].split()[:2] == ["net", "10.0"]


def test_the_picture_has_a_row_for_every_method(tmp_path):
    methods = {"a": nearly_true(0.5), "b": nearly_true(0.9)}
    compare(methods, [scan(0.002)], tmp_path / "a.png")
    assert imread(tmp_path / "a.png").shape[0] > 1000


def test_measured_scans_are_as_stored():
    rng = np.random.default_rng(0)
    shape = (2, 5, 6, 7)
    chi, field = rng.standard_normal((2, *shape), np.float32)
    mask = rng.integers(0, 2, shape)
    geometry = {"voxel_size": [[1, 2, 3], [4, 5, 6]], "b0_direction": np.eye(3)[:2]}
    stored = stored_examples(chi, mask, mask, local_field=field, **geometry)
    for index, (inputs, truth) in enumerate(measured_scans(stored)):
        expected = (field, mask, *geometry.values())
        for found, wanted in zip(inputs, expected, strict=True):
            np.testing.assert_array_equal(found, wanted[index])
        np.testing.assert_array_equal(truth, chi[index])
    assert index == 1
