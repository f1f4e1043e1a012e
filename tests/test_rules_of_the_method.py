"""Rules of the method that equal results of two of our own ways would not show."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from spinet_tf import data_consistency as module
from spinet_tf.data_consistency import DataConsistency
from spinet_tf.denoiser import Denoiser, ResidualBlock
from spinet_tf.dipole_operator import filter_volume
from spinet_tf.error_power import LARGEST_D, LEAST, MOST
from spinet_tf.metrics_regions import region_errors
from spinet_tf.orientation import CanonicalAxes
from spinet_tf.schatten_norm import SchattenNorm
from tests.networks import scan, small_model
from tests.test_data_consistency import half_masks, layer_inputs


def masked():
    field, kernel, chi, denoised = layer_inputs()
    mask = tf.constant(half_masks(chi.shape))
    return mask * field, kernel, chi, denoised, mask


def test_a_step_fills_in_the_field_of_the_step_before():
    field, kernel, chi, denoised, mask = masked()
    penalty = SchattenNorm(0.1, 1.4, dtype="float64")
    one, two = (
        DataConsistency(n, 1e-13, 300, penalty, dtype="float64") for n in (1, 2)
    )
    first = one(field, kernel, chi, denoised, mask)
    filled = field + (1 - mask) * filter_volume(mask * first.susceptibility, kernel)
    second = one(filled, kernel, first.susceptibility, denoised)
    found = two(field, kernel, chi, denoised, mask)
    np.testing.assert_allclose(found.susceptibility, second.susceptibility, atol=1e-10)
    np.testing.assert_allclose(
        found.iterations, first.iterations + second.iterations, atol=8
    )


def test_what_an_adaptive_layer_reads_errors_and_outliers_from(monkeypatch):
    field, kernel, chi, denoised, mask = masked()
    given = {}

    def watch(name):
        function = getattr(module, name)

        def watched(*arguments):
            given[name] = arguments
            return function(*arguments)

        monkeypatch.setattr(module, name, watched)

    watch("error_power")
    watch("trust_in_field")
    trust = mask * tf.constant(half_masks(mask.shape)[::-1])
    layer = DataConsistency(
        2, 1e-8, 100, SchattenNorm(0.1, 1.4, dtype="float64"), adaptive=True
    )
    layer(field, kernel, chi, denoised, mask, trust=trust)
    np.testing.assert_array_equal(given["error_power"][1], trust)
    np.testing.assert_array_equal(given["trust_in_field"][2], mask)


@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
def test_weights_where_chi_is_z_are_those_of_epsilon(epsilon):
    norm = SchattenNorm(initial_p=1.0, epsilon=epsilon, dtype="float64")
    found = norm(np.array([0.0, epsilon]).reshape(1, 1, 1, 2, 1)).numpy().ravel()
    np.testing.assert_allclose(found, [1 / epsilon, 1 / (2**0.5 * epsilon)], rtol=1e-6)


def test_errors_have_the_limits_of_the_method_page():
    np.testing.assert_allclose(np.sqrt(LEAST), (0.0001, 0.0005, 0))
    np.testing.assert_allclose(np.sqrt(MOST), (0.04, 0.03, 0.3))
    assert LARGEST_D == 0.08


def test_dropout_and_statistics_are_the_published_ones():
    block = ResidualBlock(3, dropout=0.5)
    block.build((None, None, None, None, 3))
    assert block.norm_1.momentum == block.norm_2.momentum == 0.9
    seen = []
    block.drop = lambda x, training: seen.append(x.numpy()) or x
    x = tf.random.stateless_normal((1, 4, 4, 4, 3), (0, 0))
    block(x, training=True)
    assert seen[0].min() == 0  # after the ReLU, before the second convolution


def test_residual_training_begins_near_the_identity():
    keras.utils.set_random_seed(0)
    denoiser = Denoiser()
    denoiser.build()
    x = tf.random.stateless_normal((1, 12, 12, 12, 1), (0, 0))
    assert 0 < denoiser(x).numpy().std() < 2


def test_no_zero_is_negative():
    axes = CanonicalAxes(np.diag([-1.0, -1, 1, 1]))
    assert str(axes.turn_direction((0.0, 0.0, 1.0))) == "(0.0, 0.0, 1.0)"


def test_surroundings_and_thresholds_of_a_calcification():
    labels = np.zeros((40, 40, 40), int)
    labels[19:21, 19:21, 19:21] = 16
    reference = np.where(labels == 16, -0.5, 0.0)
    found = {}
    for z, value in ((8, -0.104), (7, -0.104), (8, -0.106)):
        reconstruction = np.where(labels == 16, -0.4, 0.0)
        reconstruction[19, 19, 19] = -0.1075
        reconstruction[19, 19, z] = value
        found[z, value] = region_errors(
            reconstruction, reference, np.ones(labels.shape), labels
        )["calc_moment_dev"]
    # 11 voxels away it counts, 12 away it does not; thresholds are a hundredth apart.
    assert found[8, -0.104] == pytest.approx(4 - 7 * 0.4)
    assert found[7, -0.104] == pytest.approx(4 - 7 * 0.4 - 0.1075)


def test_chi_0_is_the_adjoint_of_the_field_in_the_mask():
    inputs = scan()
    model = small_model(channels=2)
    problem = model.prepare(inputs)
    y = np.concatenate([inputs["local_field"], 0 * inputs["local_field"]], -1)
    np.testing.assert_array_equal(problem.local_field, y)
    expected = inputs["mask"] * filter_volume(y, problem.kernel).numpy()
    np.testing.assert_allclose(problem.start, expected, atol=1e-8)
