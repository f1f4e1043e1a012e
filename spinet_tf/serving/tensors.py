"""Tensors on the wire: what comes is not trusted."""

import math

import tensorflow as tf

MOST_AXES = 8


class WireError(ValueError):
    """A tensor on the wire that is not what it says, told in one line."""


class TooLarge(WireError):
    """A tensor on the wire beyond the limit."""


def decode_float32(name, proto, max_values):
    """The array of a `TensorProto`.

    Args:
        name: str, of the input, for messages.
        proto: `TensorProto`.
        max_values: int, limit of the values; a tensor whose last value repeats is a
            few bytes on the wire, of whatever size it claims to be.

    Returns:
        float32 array.

    Raises:
        WireError: another dtype, a shape that is none, or more values than it says.
        TooLarge: more than `max_values` values.
    """
    if proto.dtype != tf.float32.as_datatype_enum:
        raise WireError(
            f"{name}: expected float32, got the data type number {proto.dtype}"
        )
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise WireError(f"{name}: expected a shape without unknowns, got {shape}")
    if len(shape) > MOST_AXES:
        raise WireError(f"{name}: expected up to 4 axes, got {len(shape)}")
    count = math.prod(shape)
    if max([count, *shape]) > max_values:
        raise TooLarge(f"{name}: expected at most {max_values} values, got {shape}")
    if proto.tensor_content and len(proto.tensor_content) != 4 * count:
        raise WireError(
            f"{name}: expected {4 * count} bytes for the shape {shape}, "
            f"got {len(proto.tensor_content)}"
        )
    # Of fewer the last one repeats, and none are zeros, as in TensorFlow.
    if not proto.tensor_content and len(proto.float_val) > count:
        raise WireError(
            f"{name}: expected at most {count} values for the shape {shape}, "
            f"got {len(proto.float_val)}"
        )
    return tf.make_ndarray(proto)


def check_shape(name, array, tensor_info):
    """Check an array against a signature.

    Args:
        name: str, of the input, for messages.
        array: array.
        tensor_info: `TensorInfo` of the signature.

    Raises:
        WireError: the shapes do not fit.
    """
    expected = tf.TensorShape(tensor_info.tensor_shape)
    if not expected.is_compatible_with(array.shape):
        raise WireError(
            f"{name}: expected the shape {expected.as_list()}, got {list(array.shape)}"
        )
