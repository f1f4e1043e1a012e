"""What an exported graph refuses."""

import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.serving.answers import refusal
from spinet_tf.serving.checks import checked
from tests.served import request


def changed(name, change):
    inputs = request()
    return {**inputs, name: np.float32(change(inputs[name]))}


def with_nan(value):
    value = value.copy()
    value[0, 1, 1, 1] = np.nan
    return value


BAD_REQUESTS = {
    "rank": (("local_field", lambda x: x[0]), "local_field: expected the axes"),
    "scalar": (("voxel_size", lambda x: 1.0), "voxel_size: expected the axes"),
    "grid": (("mask", lambda x: x[:, 1:]), "mask: expected the shape of local_field"),
    "batch": (("mask", lambda x: x[:1]), "mask: expected the shape of local_field"),
    "geometry": (("voxel_size", lambda x: x[:1]), "voxel_size: expected the shape"),
    "vector": (
        ("b0_direction", lambda x: x[:, :2]),
        "b0_direction: expected the shape",
    ),
    "no batch": (("local_field", lambda x: x[:0]), "local_field: the batch is empty"),
    "nan": (("local_field", with_nan), "local_field: expected finite values"),
    "infinite": (("voxel_size", lambda x: x / 0), "voxel_size: expected finite"),
    "probability": (("mask", lambda x: 0.5 * x), "mask: expected 0 and 1"),
    "empty mask": (("mask", lambda x: 0 * x), "mask: expected at least one"),
    "half empty": (
        ("mask", lambda x: x * [[[[1]]], [[[0]]]]),
        "mask: expected at least",
    ),
    "voxel": (("voxel_size", lambda x: 0 * x), "voxel_size: expected 0.01 to 100"),
    "metres": (("voxel_size", lambda x: 1e30 * x), "voxel_size: expected 0.01 to"),
    "b0": (("b0_direction", lambda x: 0 * x), "b0_direction: expected a vector"),
    "long": (("b0_direction", lambda x: 1e30 * x), "b0_direction: expected a vector"),
    "huge": (
        ("local_field", lambda x: np.zeros((2, 40, 40, 41))),
        "local_field: expected at most 128000 voxels",
    ),
}


def graph_of(folder, signature_name):
    """The graph as a model server runs it, which checks no shape beforehand."""
    with tf.Graph().as_default() as graph:
        session = tf.compat.v1.Session(graph=graph)
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
    signature = meta.signature_def[signature_name]
    placeholders = {
        name: graph.get_tensor_by_name(info.name)
        for name, info in signature.inputs.items()
    }
    for placeholder in placeholders.values():
        placeholder._shape_val = tf.TensorShape(None)
    output = signature.outputs["susceptibility"].name
    return lambda inputs: session.run(
        output, {placeholders[name]: value for name, value in inputs.items()}
    )


@pytest.fixture(scope="module")
def graph(exported):
    return graph_of(exported[1], "serving_default")


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_bad_requests_are_told_by_the_graph(graph, case):
    (name, change), message = BAD_REQUESTS[case]
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        graph(changed(name, change))
    assert f"assertion failed: [{message}" in error.value.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[0], "local_field: expected the axes"),
        (lambda x: 0 * x, "local_field: it is zero everywhere"),
        (with_nan, "local_field: expected finite values"),
    ],
)
def test_bad_fields_alone(exported, change, message):
    run = graph_of(exported[1], "local_field_only")
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        run({"local_field": change(request()["local_field"])})
    assert f"assertion failed: [{message}" in error.value.message


def test_result_that_is_not_finite(graph):
    inputs = request()
    inputs["local_field"] *= np.float32(1e37)
    with pytest.raises(tf.errors.InvalidArgumentError, match="is local_field in ppm"):
        graph(inputs)


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("voxel_size", (0.01, 1, 100), True),
        ("voxel_size", (1, 1, 101), False),
        ("voxel_size", (0.009, 1, 1), False),
        ("b0_direction", (0, -0.6, -0.8), True),
        ("b0_direction", (0, 0, 0.0011), True),
        ("b0_direction", (0, 0, 0.0009), False),
        ("b0_direction", (0, 999, 0), True),
        ("b0_direction", (0, 1001, 0), False),
    ],
)
def test_what_is_taken_up_to_its_limits(name, value, taken):
    inputs = request() | {name: np.tile(np.float32(value), (2, 1))}
    inputs = {key: tf.constant(array) for key, array in inputs.items()}
    voxels = int(tf.size(inputs["mask"]))  # no more than that, but that
    if taken:
        np.testing.assert_array_equal(checked(inputs, voxels)[name], inputs[name])
    else:
        with pytest.raises(tf.errors.InvalidArgumentError, match=name):
            checked(inputs, voxels)


def test_a_refusal_is_one_line_with_what_was_got():
    told = "assertion failed: [mask: expected the shape, got] [2 8 8] [2 9 9]"
    message = f"Graph execution error:\n\n{told}\n\t [[{{{{node Assert}}}}]]\nmore"
    error = tf.errors.InvalidArgumentError(None, None, message)
    assert refusal(error) == "mask: expected the shape, got [2 8 8] [2 9 9]"
    error = tf.errors.ResourceExhaustedError(None, None, "no memory\n\t [[node]]")
    assert refusal(error) == "no memory"
