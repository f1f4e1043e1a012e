"""Weights in float16."""

import numpy as np
import pytest

from spinet_tf.errors import InputError


def test_a_weight_too_large_for_float16():
    from tensorflow.lite.python import schema_py_generated as schema

    from spinet_tf.serving.half_weights import _conversion, halve_convolutions

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.buffers, model.operatorCodes = [schema.BufferT(), schema.BufferT()], []
    weights = schema.TensorT()
    weights.name, weights.shape, weights.buffer = b"weights", [2], 1
    graph.tensors, graph.operators, model.subgraphs = [weights], [], [graph]
    halve_convolutions(model)
    assert model.operatorCodes[-1].version == 3  # whose DEQUANTIZE reads float16
    model.buffers[1].data = np.float32([1, 7e4]).view(np.uint8)
    with pytest.raises(InputError, match="too large for float16"):
        _conversion(model, graph, 0)
