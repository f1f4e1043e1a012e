"""The flatbuffer a `.tflite` file is: what it holds, and metadata in it."""

import json

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

# A converter that does not find the weights leaves operators that read them from
# variables, and these come up empty.
STATEFUL = {"ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE"}


def operators(model):
    """Names of a `ModelT`'s operators, a set; those not built in are "CUSTOM"."""
    codes = range(len(model.operatorCodes))
    return {flatbuffer_utils.opcode_to_name(model, code) for code in codes}


def check_self_contained(model):
    """Check that a model needs no more than its own file and a plain runtime.

    Args:
        model: `ModelT`.

    Raises:
        RuntimeError: it has operators that are not built in, or variables.
    """
    foreign = sorted(operators(model) & {"CUSTOM", *STATEFUL})
    if foreign:
        raise RuntimeError(f"The converted model has operators {', '.join(foreign)}.")


def add_buffer(model, content):
    """Append bytes to a `ModelT`.

    Returns:
        The new buffer's index, an int.
    """
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(content, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_metadata(model, name, content):
    """Add a JSON document to a `ModelT`.

    Args:
        model: `ModelT`.
        name: str.
        content: dict of dict, list, str, numbers, bool and None.
    """
    entry = schema.MetadataT()
    entry.name = name
    entry.buffer = add_buffer(model, json.dumps(content, indent=2).encode())
    model.metadata.append(entry)
