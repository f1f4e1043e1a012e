"""Import TensorFlow without its wall of start-up lines.

They are written to standard error by its C++ before any setting is read, so standard
error is held back during the import, and shown if the import fails. With
TF_CPP_MIN_LOG_LEVEL=0 in the environment they are shown. A closed one shows nothing.
"""

import os
import sys
import tempfile

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_tensorflow():
    """Import TensorFlow quietly, unless it is imported already or logs are wanted."""
    _open_if_closed()
    given = os.environ.get(LEVEL)
    if "tensorflow" in sys.modules or given == "0":
        return
    os.environ.setdefault(LEVEL, "2")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held_back:
        standard_error = os.dup(2)
        os.dup2(held_back.fileno(), 2)
        try:
            import tensorflow

            # Looking for a GPU where there is none writes a line of its own.
            tensorflow.config.list_physical_devices("GPU")
        except BaseException:
            held_back.seek(0)
            os.write(standard_error, held_back.read())
            raise
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
            # Children of this process are to choose for themselves.
            if given is None:
                del os.environ[LEVEL]


def _open_if_closed():
    """Keep descriptor 2 from the next file, which TensorFlow would write its log to."""
    try:
        os.fstat(2)
    except OSError:
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, 2)
        os.set_inheritable(2, True)
        if descriptor != 2:
            os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


import_tensorflow()
