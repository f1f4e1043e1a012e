"""Checks of the files to write, before the work."""

import os

from spinet_tf.atomic_write import check_writable
from spinet_tf.errors import InputError


def check_outputs(outputs, inputs):
    """Check that every output can be written and that none replaces an input.

    Args:
        outputs: paths of the files to write.
        inputs: paths of the files to read; None for one not given.

    Raises:
        InputError: if one cannot be written, is an input, or is named twice.
    """
    real_inputs = {
        os.path.realpath(path): path for path in inputs if path and os.path.exists(path)
    }
    seen = set()
    for output in outputs:
        check_writable(output)
        if os.path.realpath(output) in seen:
            raise InputError(f"{output}: would be written twice")
        seen.add(os.path.realpath(output))
        replaced = real_inputs.get(os.path.realpath(output))
        if replaced:
            raise InputError(f"{output}: would replace the input {replaced}")
