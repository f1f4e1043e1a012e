"""SpiNet-QSM as TensorFlow Lite files, for the LiteRT runtime on phones and elsewhere.

A file holds the whole reconstruction for one matrix size, in operators that every
runtime has built in: the CNN, the Fourier transforms as matrix products, and the solver
as a loop that stops when it has converged. Voxel size and B0 direction are inputs.
"""

import contextlib
import math
import tempfile
from numbers import Integral

import tensorflow as tf
from absl import logging
from tensorflow.lite.tools.flatbuffer_utils import (
    convert_bytearray_to_object,
    convert_object_to_bytearray,
)

from spinet_tf import __version__
from spinet_tf.atomic_write import atomic_path, made_folder
from spinet_tf.copies import folded, with_transform
from spinet_tf.errors import InputError
from spinet_tf.fourier import MatrixDFT
from spinet_tf.model import SpiNetQSM
from spinet_tf.planar_convolution import PlanarDenoiser
from spinet_tf.serving.flatbuffer import add_metadata, check_self_contained
from spinet_tf.serving.half_weights import halve_convolutions
from spinet_tf.serving.saved_model import told_of, write_graph
from spinet_tf.serving.signatures import DEFAULT_SIGNATURE, reconstruction

METADATA = "spinet_qsm"
SMALLEST_SIZE = 8
MOST_VOXELS = 512**3  # more would not fit on what such files are for
LONGEST_AXIS = 1024  # a transform along n voxels is a matrix of n^2 numbers
VARIANTS = ("float32", "float16")


def export_tflite(model, output_dir, sizes, variant="float32"):
    """Write one TensorFlow Lite file for each matrix size.

    The files are called `spinet-qsm-64x64x64.tflite`, or
    `spinet-qsm-64x64x64-float16.tflite`. `docs/tflite.md` says what is in them.

    Args:
        model: `SpiNetQSM`, any variant; it is not changed.
        output_dir: folder to write to; made if it is missing.
        sizes: matrix sizes, each three integers from 8 to 1024: voxels along x, y, z;
            512^3 at most in all.
        variant: "float32", or "float16" for a smaller file, with the weights of the
            convolutions in float16. Defaults to "float32".

    Returns:
        Paths of the files, in the order of `sizes`.

    Raises:
        InputError: an argument that is not as above, or a file that cannot be written.
        RuntimeError: the converter used an operator that not every runtime has.
    """
    if not isinstance(model, SpiNetQSM):
        raise InputError(
            f"model: expected a SpiNet-QSM model, got {type(model).__name__}"
        )
    if variant not in VARIANTS:
        raise InputError(f"variant: expected one of {VARIANTS}, got {variant!r}")
    sizes = [checked_size(size) for size in sizes]
    if not sizes:
        raise InputError("sizes: expected at least one matrix size")
    suffix = "" if variant == "float32" else f"-{variant}"
    paths = []
    with made_folder(output_dir) as folder:
        for size in sizes:
            path = folder / f"spinet-qsm-{'x'.join(map(str, size))}{suffix}.tflite"
            with atomic_path(path) as temporary:
                temporary.write_bytes(convert(model, size, variant))
            paths.append(path)
    return paths


def checked_size(size):
    """A matrix size that a file can be written for.

    Args:
        size: three integers from 8 to 1024: voxels along x, y, z; 512^3 at most in
            all.

    Returns:
        Tuple of three int.

    Raises:
        InputError: it is none.
    """
    try:
        size = tuple(size)
    except TypeError:
        size = (size,)
    integers = all(isinstance(n, Integral) and not isinstance(n, bool) for n in size)
    if len(size) != 3 or not integers or min(size) < SMALLEST_SIZE:
        raise InputError(
            f"sizes: expected three integers of at least {SMALLEST_SIZE} for each "
            f"size, got {size}"
        )
    if max(size) > LONGEST_AXIS:
        raise InputError(
            f"sizes: expected at most {LONGEST_AXIS} voxels along an axis, got {size}"
        )
    if math.prod(size) > MOST_VOXELS:
        raise InputError(f"sizes: expected at most {MOST_VOXELS} voxels, got {size}")
    return tuple(int(n) for n in size)


def convert(model, matrix_size, variant="float32"):
    """The bytes of a TensorFlow Lite file; see `export_tflite`.

    Args:
        model: `SpiNetQSM`.
        matrix_size: three integers.
        variant: one of `VARIANTS`. Defaults to "float32".

    Returns:
        bytes.
    """
    model = with_transform(folded(model, "float32"), MatrixDFT)
    model.denoiser = PlanarDenoiser(model.denoiser)
    graph = reconstruction_graph(model, matrix_size)
    converted = convert_bytearray_to_object(_converted(model, graph))
    check_self_contained(converted)
    if variant == "float16":
        halve_convolutions(converted)
    add_metadata(converted, METADATA, metadata(model, matrix_size, variant))
    return bytes(convert_object_to_bytearray(converted))


def _converted(model, graph):
    with tempfile.TemporaryDirectory() as folder, _without_warnings():
        with told_of(folder):
            write_graph(model, {DEFAULT_SIGNATURE: (graph, None)}, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=[DEFAULT_SIGNATURE]
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        return converter.convert()


@contextlib.contextmanager
def _without_warnings():
    """Without the many that the graph has no gradients: nobody asks for any."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def reconstruction_graph(model, matrix_size):
    """All unrolls as a function of plain volumes, of one size and a batch of one.

    Args:
        model: `SpiNetQSM`.
        matrix_size: three integers.

    Returns:
        `tf.function`; `metadata` lists what goes in and comes out.
    """
    volume = tf.TensorSpec((1, *matrix_size), tf.float32)
    vector = tf.TensorSpec((1, 3), tf.float32)

    @tf.function(input_signature=[volume, volume, vector, vector], autograph=False)
    def reconstruct(local_field, mask, voxel_size, b0_direction):
        inputs = {
            "local_field": local_field,
            "mask": mask,
            "voxel_size": voxel_size,
            "b0_direction": b0_direction,
        }
        results = reconstruction(model, inputs)
        del results["iterates"]
        return results

    return reconstruct


def metadata(model, matrix_size, variant):
    """What an app needs to know, as JSON stored in the file under `METADATA`.

    Args:
        model: `SpiNetQSM`.
        matrix_size: three integers.
        variant: one of `VARIANTS`.

    Returns:
        dict of dict, list, str and numbers.
    """

    def tensor(shape, unit, meaning):
        return {"shape": [1, *shape], "unit": unit, "meaning": meaning}

    return {
        "producer": f"spinet-tf {__version__}",
        "variant": variant,
        "signature": DEFAULT_SIGNATURE,
        "matrix_size": list(matrix_size),
        "unrolls": model.unrolls,
        "lambda": model.lambda_,
        "p": model.p,
        "inputs": {
            "local_field": tensor(matrix_size, "ppm", "local (tissue) field, finite"),
            "mask": tensor(matrix_size, "1", "1 in the region of interest, else 0"),
            "voxel_size": tensor([3], "mm", "voxel size along x, y, z"),
            "b0_direction": tensor([3], "1", "B0 in voxel axes, of length 1"),
        },
        "outputs": {
            "susceptibility": tensor(matrix_size, "ppm", "0 outside the mask"),
            "solver_iterations": tensor([model.unrolls], "1", "of each unroll"),
            "solver_residual": tensor([model.unrolls], "1", "relative, of each unroll"),
            "data_consistency": tensor([], "1", "||mask (Phi chi - y)|| / ||mask y||"),
            "left_out": tensor([], "1", "share of the mask whose field fits nothing"),
        },
        "padding": {
            "inputs": ["local_field", "mask"],
            "value": 0,
            "position": "volume in the centre; cut susceptibility out again",
            "margin": "16 voxels or more around the mask, on every side",
        },
    }
