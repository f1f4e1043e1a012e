"""Convolution weights of a TensorFlow Lite model as float16."""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.schema_util import get_builtin_code_from_operator_code

from spinet_tf.errors import InputError
from spinet_tf.serving.flatbuffer import add_buffer

FLOAT16_VERSION = 3  # of DEQUANTIZE, the first that reads float16


def halve_convolutions(model):
    """Store the weights of all convolutions as float16, in place.

    The runtime makes float32 of them when it loads the file, and computes with that.
    All other constants stay float32: the solver has some that float16 takes for zero,
    and the matrices of the Fourier transform would lose the digits it needs.

    Args:
        model: `ModelT` of a TensorFlow Lite schema.

    Raises:
        InputError: a weight is beyond what float16 holds.
    """
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = FLOAT16_VERSION
    model.operatorCodes.append(code)
    for graph in model.subgraphs:
        _halve(model, graph)


def _halve(model, graph):
    restored = {}  # buffer of float32 weights to the tensor that takes its place
    conversions = []
    buffers = [tensor.buffer for tensor in graph.tensors]
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if get_builtin_code_from_operator_code(code) != schema.BuiltinOperator.CONV_2D:
            continue
        volume, weights, *bias = operator.inputs
        buffer = buffers[weights]
        if buffer not in restored:
            restored[buffer] = weights
            conversions.append(_conversion(model, graph, weights))
        operator.inputs = [volume, restored[buffer], *bias]
    for operator in graph.operators:
        if any(i >= 0 and graph.tensors[i].buffer in restored for i in operator.inputs):
            raise RuntimeError("weights of a convolution are read by something else")
    for buffer in restored:
        model.buffers[buffer].data = None
    graph.operators = conversions + graph.operators


def _conversion(model, graph, index):
    """Operator that gives a constant float32 tensor its values, from float16 ones."""
    tensor = graph.tensors[index]
    data = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
    with np.errstate(over="ignore"):
        halved = data.view(np.float32).astype(np.float16)
    if not np.isfinite(halved).all():
        raise InputError("model: a weight is too large for float16")
    half = schema.TensorT()
    half.name = tensor.name + b"/float16"
    half.shape = tensor.shape
    half.type = schema.TensorType.FLOAT16
    half.buffer = add_buffer(model, halved.tobytes())
    graph.tensors.append(half)
    tensor.buffer = 0  # the empty one, of tensors that are computed

    conversion = schema.OperatorT()
    conversion.opcodeIndex = len(model.operatorCodes) - 1
    conversion.inputs = [len(graph.tensors) - 1]
    conversion.outputs = [index]
    return conversion
