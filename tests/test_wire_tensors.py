"""Tensors on the wire, against how TensorFlow reads them."""

import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.serving.tensors import TooLarge, WireError, decode_float32


def tensor(shape, values):
    """A `TensorProto` with these values, or fewer than its shape has."""
    proto = tf.make_tensor_proto(np.float32(0))
    proto.ClearField("float_val")
    proto.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    proto.float_val.extend(values)
    return proto


@pytest.mark.parametrize("values", [[], [1.5], [1, 2, -0.5], [1, 2, 3, 4, 5, 6]])
def test_fewer_values_than_the_shape_has(values):
    """The last one repeats, and none are zeros: so do some writers save bytes."""
    proto = tensor((1, 2, 3), values)
    expected = tf.io.parse_tensor(proto.SerializeToString(), tf.float32)
    found = decode_float32("mask", proto, 6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_more_values_than_the_shape_has():
    with pytest.raises(WireError, match="mask: expected at most 2 values .*, got 3"):
        decode_float32("mask", tensor((2,), [1, 2, 3]), 6)


@pytest.mark.parametrize("values", [[], [1, 2]])
def test_fewer_values_are_no_way_around_the_limit(values):
    with pytest.raises(TooLarge, match="at most 6 values"):
        decode_float32("mask", tensor((10**5, 10**5), values), 6)
