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
