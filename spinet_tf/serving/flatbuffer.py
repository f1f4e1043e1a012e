"""The flatbuffer a `.tflite` file is: what it holds, and metadata in it."""

import json

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

FILE_IDENTIFIER = b"TFL3"
NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()
}
# A converter that does not find the weights leaves operators that read them from
# variables, and these come up empty.
STATEFUL = {"ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE"}


def parse(content):
    """Bytes of a `.tflite` file as a `ModelT` of the schema."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def serialize(model):
    """Bytes of a `.tflite` file from a `ModelT` of the schema."""
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def builtin_of(code):
    """Number of an operator, a `BuiltinOperator`, from an `OperatorCodeT`."""
    # Small numbers stand in the older of the two fields, for older readers.
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def operators(model):
    """Names of a `ModelT`'s operators, a set; those not built in are "CUSTOM"."""
    return {NAMES[builtin_of(code)] for code in model.operatorCodes}


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
