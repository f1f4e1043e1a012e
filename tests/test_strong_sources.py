"""Strong sources in examples to train with."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.strong_sources import CENTRE, with_ball
from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.field_simulation import Seeds, convolve
from spinet_tf.input_pipeline import training_stream
from spinet_tf.strong_sources import strong_source, with_strong_source
from spinet_tf.training_example import make_example
from tests.stored_examples import stored_examples
from tests.test_field_simulation import NONE

SHAPE = (40, 36, 33)
VOXEL_SIZE = tf.constant([0.9, 1.0, 1.3])


def seeds(number):
    return Seeds(tf.constant([number, 0], tf.int64))


def ball():
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    return np.float32(x**2 + y**2 + z**2 < 0.8)


def quiet_examples(count=1):
    """Brains of nothing but a ripple, with zero mean in the mask."""
    mask = ball()
    ripple = mask * np.random.default_rng(0).normal(0, 0.01, SHAPE)
    ripple -= mask * ripple.sum() / mask.sum()
    many = [np.broadcast_to(each, (count, *SHAPE)) for each in (ripple, mask)]
    return stored_examples(*many, 255 * many[1], VOXEL_SIZE)


def test_sources_are_as_large_and_as_strong_as_is_said():
    whole = tf.ones((96, 96, 96))
    radii, strengths = [], []
    for number in range(60):
        chi, fraction = strong_source(whole, tf.ones(3), seeds(number))
        cut = fraction.numpy()[[0, -1]].any() or fraction.numpy()[:, [0, -1]].any()
        if not cut and not fraction.numpy()[..., [0, -1]].any():
            volume = float(tf.reduce_sum(fraction))
            radii.append((volume * 3 / (4 * np.pi)) ** (1 / 3))
            strengths.append(float(tf.reduce_sum(chi * fraction)) / volume)
        assert 0 <= fraction.numpy().min() <= fraction.numpy().max() <= 1
    assert len(radii) > 20
    # Semi-axes vary by a quarter, and rough borders shift the mean radius.
    assert 1.5 < min(radii) < 4 and 8 < max(radii) < 24
    assert 0.25 < np.min(np.abs(strengths)) < 0.6
    assert 1 < np.max(np.abs(strengths)) < 2.5
    assert 0.3 < np.mean(np.array(strengths) < 0) < 0.9


def test_sources_are_all_over_the_mask_and_nowhere_else():
    mask = tf.constant(ball())
    centres = []
    for number in range(30):
        _, fraction = strong_source(mask, VOXEL_SIZE, seeds(number))
        assert not np.any(fraction.numpy()[mask.numpy() == 0])
        centres.append(np.argwhere(fraction.numpy() > 0).mean(0))
    assert np.all(np.ptp(centres, axis=0) > np.array(SHAPE) / 3)


def test_the_map_stays_masked_and_of_zero_mean():
    (one,) = quiet_examples()
    mask = tf.cast(one["mask"], tf.float32)
    given = one["susceptibility"], mask, mask, VOXEL_SIZE
    for number in range(5):
        chi, white_matter = with_strong_source(*given, 1.0, seeds(number))
        assert np.ptp(chi) > 0.2
        assert abs(float(tf.reduce_sum(chi))) < 1e-4 * float(tf.reduce_sum(mask))
        assert not np.any(chi.numpy()[mask.numpy() == 0])
        assert 0 <= np.min(white_matter) < 0.1
    same, white_matter = with_strong_source(*given, 0.0, seeds(0))
    np.testing.assert_allclose(same, one["susceptibility"], atol=1e-7)
    np.testing.assert_array_equal(white_matter, mask)


def test_the_ball_of_the_benchmark():
    flat = np.full((96, 112, 80), 0.5, np.float32)
    chi, away = with_ball(flat, -1, 5)
    volume = np.sum(chi - flat) / -1.5
    np.testing.assert_allclose(volume, 4 / 3 * np.pi * 5**3, rtol=0.02)
    assert chi[CENTRE] == -1
    assert np.all(chi[away] == 0.5)
    np.testing.assert_allclose(np.sum(~away), 4 / 3 * np.pi * 7**3, rtol=0.05)
    same, _ = with_ball(flat, 0, 0)
    np.testing.assert_array_equal(same, flat)


def test_an_empty_mask_stays_empty():
    nothing = tf.zeros(SHAPE)
    given = nothing, nothing, nothing, VOXEL_SIZE
    for volume in with_strong_source(*given, 1.0, seeds(0)):
        np.testing.assert_array_equal(volume, nothing)


@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_as_many_examples_have_one_as_are_asked_for(probability):
    stream = training_stream(
        quiet_examples(), NONE, 1, 0, strong_sources=probability
    ).take(60)
    found = np.mean([np.ptp(truth) > 0.2 for _, truth in stream])
    assert abs(found - probability) <= (0.12 if probability < 1 else 0)


def test_the_field_is_that_of_the_map_with_the_source():
    (one,) = quiet_examples()
    seed = tf.constant([3, 0], tf.int64)
    inputs, truth = make_example(one, NONE, seed, True, strong_sources=1.0)
    geometry = (inputs[name][None] for name in ("voxel_size", "b0_direction"))
    kernel = dipole_kernel(SHAPE, *geometry)[0]
    expected = inputs["mask"][..., 0] * convolve(truth[..., 0], kernel)
    np.testing.assert_allclose(inputs["local_field"][..., 0], expected, atol=1e-6)


def test_validation_has_none_and_measured_fields_have_none():
    (one,) = quiet_examples()
    seed = tf.constant([0, 0], tf.int64)
    _, truth = make_example(one, NONE, seed, False, strong_sources=1.0)
    np.testing.assert_array_equal(truth[..., 0], one["susceptibility"])
    measured = {"local_field": one["mask"], "b0_direction": tf.constant([0.0, 0, 1])}
    given = one | {k: tf.cast(v, tf.float32) for k, v in measured.items()}
    _, truth = make_example(given, NONE, seed, True, 1.0, strong_sources=1.0)
    assert np.ptp(truth) < 0.2
    mixed = []
    for number in range(20):
        seed = tf.constant([number, 0], tf.int64)
        inputs, truth = make_example(given, NONE, seed, True, 0.5, strong_sources=1.0)
        is_measured = np.unique(inputs["local_field"]).size == 2
        assert is_measured == (np.ptp(truth) < 0.2)
        mixed.append(is_measured)
    assert 0 < sum(mixed) < 20
