"""How many examples are shuffled at a time."""

import numpy as np
import pytest
import tensorflow as tf

from spinet_tf import input_pipeline
from spinet_tf.field_simulation import FieldErrors
from spinet_tf.input_pipeline import SHUFFLED, training_stream

FLOATS = ("susceptibility", "local_field")


def volumes(shape, of_known_size=True):
    """A data set of 3 such examples, none of which has been made."""
    spec = {
        name: tf.TensorSpec(
            shape if of_known_size else (None,) * 3,
            tf.float32 if name in FLOATS else tf.uint8,
        )
        for name in (*FLOATS, "mask", "white_matter")
    }

    def examples():
        for _ in range(3):
            yield {
                name: np.zeros(shape, each.dtype.as_numpy_dtype)
                for name, each in spec.items()
            }

    return tf.data.Dataset.from_generator(examples, output_signature=spec)


def test_examples_of_the_stated_configurations_are_shuffled_as_before():
    for size in (24, 32, 48, 64):
        assert input_pipeline._shuffle_buffer(volumes((size,) * 3)) == SHUFFLED == 256


def test_large_examples_are_shuffled_within_a_gigabyte():
    of_one = 10 * 160**3
    assert input_pipeline._shuffle_buffer(volumes((160,) * 3)) == 2**30 // of_one == 26
    assert input_pipeline._shuffle_buffer(volumes((2000,) * 3)) == 1
    of_unlike_sizes = volumes((160,) * 3, of_known_size=False)
    assert input_pipeline._shuffle_buffer(of_unlike_sizes) == 26


@pytest.mark.parametrize("held", [1, 2])
def test_a_stream_shuffles_no_more_than_fit(held, monkeypatch):
    shape, count = (6, 6, 6), 8
    susceptibility = np.float32([np.full(shape, 1 + i) for i in range(count)])
    stored = tf.data.Dataset.from_tensor_slices(
        {
            "susceptibility": susceptibility,
            "mask": np.ones((count, *shape), np.uint8),
            "white_matter": np.zeros((count, *shape), np.uint8),
            "voxel_size": np.ones((count, 3), np.float32),
        }
    )
    of_one = 6 * 6**3 + 3 * 4
    monkeypatch.setattr(input_pipeline, "SHUFFLED_BYTES", held * of_one + 1)
    orders = set()
    for seed in range(2):
        stream = training_stream(stored, FieldErrors(), 1, seed).take(count)
        order = [int(tf.reduce_max(truth)) for _, truth in stream]
        assert sorted(order) == list(range(1, count + 1))
        # What comes out next is one of those held.
        assert all(number < place + held + 1 for place, number in enumerate(order))
        orders.add(tuple(order))
    assert (len(orders) > 1) == (held > 1)
