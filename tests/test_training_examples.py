"""What an example for training is made of."""

import numpy as np
import pytest
import tensorflow as tf

from spinet_tf import input_pipeline, training_example
from spinet_tf.input_pipeline import training_stream, validation_batches
from spinet_tf.training_example import make_example
from tests.stored_examples import stored_examples
from tests.test_field_simulation import NONE


def example(size=9, count=1):
    rng = np.random.default_rng(0)
    shape = (count, size, size, size)
    chi = rng.standard_normal(shape)
    return stored_examples(chi, np.ones(shape), 200 * (chi > 0))


@pytest.mark.parametrize("training", [True, False])
def test_white_matter_is_a_fraction_and_lies_where_the_map_has_it(
    monkeypatch, training
):
    def show(susceptibility, mask, white_matter, *_):
        return white_matter

    monkeypatch.setattr(training_example, "realistic_field", show)
    (one,) = example()
    for number in range(4):
        seed = tf.constant([number, 0], tf.int64)
        inputs, truth = make_example(one, NONE, seed, training)
        found = 255 * inputs["local_field"].numpy()
        np.testing.assert_allclose(found, 200 * (truth.numpy() > 0), rtol=1e-6)


def test_geometry_is_drawn_for_each_example(monkeypatch):
    monkeypatch.setattr(training_example, "realistic_field", lambda chi, *_: chi)
    (one,) = example()
    sizes, directions, turned = [], [], []
    for number in range(40):
        seed = tf.constant([number, 0], tf.int64)
        inputs, truth = make_example(one, NONE, seed, training=True)
        sizes.append(np.log(inputs["voxel_size"]))
        directions.append(inputs["b0_direction"].numpy())
        turned.append(np.array_equal(truth[..., 0], one["susceptibility"]))
    sizes = np.array(sizes)
    assert 0.17 < np.abs(sizes).max() <= 0.2
    assert sizes.min() < -0.17
    assert sizes.max() > 0.17
    assert np.ptp(sizes, axis=1).min() > 0.01
    assert np.linalg.norm(np.mean(directions, axis=0)[:2]) < 0.3
    assert len({direction.tobytes() for direction in directions}) == 40
    assert sum(turned) < 10


def test_the_order_of_a_pass_depends_on_the_seed(monkeypatch):
    def as_stored(stored, *_, **__):
        return {}, stored["susceptibility"]

    monkeypatch.setattr(input_pipeline, "make_example", as_stored)
    examples = example(size=3, count=6)

    def order(seed):
        batches = training_stream(examples, NONE, 1, seed).take(6)
        return tuple(round(float(tf.reduce_sum(truth**2)), 3) for _, truth in batches)

    orders = [order(seed) for seed in range(3)]
    assert len(set(orders)) == 3
    assert len({tuple(sorted(each)) for each in orders}) == 1


def test_validation_fields_are_of_the_seed_and_the_example(monkeypatch):
    def its_seed(stored, errors, seed, training, **_):
        return seed, training

    monkeypatch.setattr(input_pipeline, "make_example", its_seed)
    found = [
        (*number.numpy()[0], bool(training[0]))
        for seed in (5, 6)
        for number, training in validation_batches(example(3, 2), NONE, seed)
    ]
    assert found == [(seed, i, False) for seed in (5, 6) for i in range(2)]


def test_voxel_edges_stay_with_their_axes(monkeypatch):
    monkeypatch.setattr(training_example, "realistic_field", lambda chi, *_: chi)
    marked = np.zeros((1, 3, 3, 3))
    marked[0, 2, 1, 1], marked[0, 1, 2, 1], marked[0, 1, 1, 2] = 1, 2, 4
    (one,) = stored_examples(marked, marked, marked, (1, 2, 4))
    for number in range(20):
        seed = tf.constant([number, 0], tf.int64)
        inputs, truth = make_example(one, NONE, seed, training=True)
        for edge in (1, 2, 4):
            (place,) = np.argwhere(truth[..., 0].numpy() == edge)
            (axis,) = np.flatnonzero(place - 1)
            assert abs(np.log(inputs["voxel_size"][axis] / edge)) < 0.21


def test_the_turn_of_a_measured_field_is_drawn_by_itself(monkeypatch):
    flips = []

    def watched(volumes, turn):
        flips.append(bool(turn.flipped[0]))
        return volumes

    monkeypatch.setattr(training_example, "turned", watched)
    monkeypatch.setattr(training_example, "_simulated_example", lambda *_: None)
    ones = np.ones((1, 3, 3, 3))
    measured = {"local_field": ones, "b0_direction": [[0, 0, 1]]}
    (one,) = stored_examples(ones, ones, ones, **measured)
    for number in range(60):
        seed = tf.constant([number, 0], tf.int64)
        make_example(one, NONE, seed, True, measured_fields=0.4)
    assert 0 < sum(flips) < len(flips)


def test_a_pass_is_shuffled_over_hundreds_of_examples(monkeypatch):
    def numbered(stored, *_, **__):
        return {}, stored["voxel_size"]

    monkeypatch.setattr(input_pipeline, "make_example", numbered)
    ones = np.ones((250, 1, 1, 1))
    examples = stored_examples(ones, ones, ones, np.arange(250)[:, np.newaxis])
    firsts = [
        float(number[0, 0])
        for seed in range(8)
        for _, number in training_stream(examples, NONE, 1, seed).take(1)
    ]
    assert max(firsts) > 128
