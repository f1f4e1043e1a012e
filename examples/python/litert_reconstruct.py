"""Reconstruct a susceptibility map with a TensorFlow Lite file; no TensorFlow needed.

    pip install ai-edge-litert numpy
    python litert_reconstruct.py spinet-qsm-64x64x64.tflite field.npy mask.npy chi.npy \
        --voxel_size 1 1 1 --b0_direction 0 0 1

`field.npy` is the local field [ppm] and `mask.npy` 1 in the region of interest and 0
elsewhere, of the same shape, at most that of the file. `chi.npy` is the susceptibility
[ppm], float32.
"""

import argparse
import json
import os
import struct
import sys
import zipfile

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter


def read_metadata(path):
    """The JSON document in a `.tflite` file of SpiNet-QSM, a dict."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        if schema.Model.ModelBufferHasIdentifier(content, 0):
            model = schema.Model.GetRootAs(content, 0)
            for i in range(model.MetadataLength()):
                entry = model.Metadata(i)
                if entry.Name() == b"spinet_qsm":
                    stored = model.Buffers(entry.Buffer()).DataAsNumpy()
                    return json.loads(stored.tobytes())
    except (struct.error, AttributeError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: damaged") from error
    raise ValueError(f"{path}: not a SpiNet-QSM file")


def pad(volume, matrix_size):
    """Zeros around a volume, and the slices that cut it out again."""
    if any(n > m for n, m in zip(volume.shape, matrix_size, strict=True)):
        raise ValueError(f"{volume.shape} voxels do not fit into {matrix_size}")
    before = [(m - n) // 2 for n, m in zip(volume.shape, matrix_size, strict=True)]
    inside = tuple(slice(b, b + n) for b, n in zip(before, volume.shape, strict=True))
    padded = np.zeros(matrix_size, np.float32)
    padded[inside] = volume
    return padded, inside


def unit_vector(direction):
    """The vector of length 1; float32 would not do for all lengths."""
    direction = np.float64(direction)
    if not (np.isfinite(direction).all() and np.any(direction)):
        raise ValueError(f"the B0 direction {direction} is no direction")
    direction = direction / np.abs(direction).max()
    return np.float32(direction / np.linalg.norm(direction))


def run(path, threads, **inputs):
    """The outputs of a file, a dict; what the runtime says names the file."""
    try:
        interpreter = Interpreter(path, num_threads=threads)
        return interpreter.get_signature_runner("serving_default")(**inputs)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: cannot be run, {reason}") from error


def reconstruct(path, local_field, mask, voxel_size, b0_direction, threads=None):
    """Run a file on one scan.

    Args:
        path: a `.tflite` file of SpiNet-QSM.
        local_field: `(x, y, z)` [ppm].
        mask: `(x, y, z)`, 1 in the region of interest, 0 elsewhere.
        voxel_size: three floats [mm].
        b0_direction: three floats, in voxel axes.
        threads: int. Defaults to the runtime's choice.

    Returns:
        The susceptibility, float32 `(x, y, z)` [ppm], and a dict of what the solver
        did.

    Raises:
        ValueError: volumes that do not fit, an empty mask, NaN, or another file.
    """
    mask = np.asarray(mask)
    if mask.ndim != 3:
        raise ValueError(f"expected volumes of three axes, got {mask.ndim}")
    if mask.shape != np.shape(local_field):
        raise ValueError(f"field {np.shape(local_field)} and mask {mask.shape} differ")
    if not np.isin(mask, (0, 1)).all():
        raise ValueError("the mask holds other numbers than 0 and 1")
    if not mask.any():
        raise ValueError("the mask is empty")
    if not np.isfinite(local_field).all():
        raise ValueError("the field holds NaN or infinity")
    if not (np.isfinite(voxel_size).all() and np.all(np.asarray(voxel_size) > 0)):
        raise ValueError(f"the voxel size {voxel_size} is not positive and finite")
    b0_direction = unit_vector(b0_direction)
    matrix_size = read_metadata(path)["matrix_size"]
    field, inside = pad(local_field, matrix_size)
    outputs = run(
        path,
        threads,
        local_field=field[np.newaxis],
        mask=pad(mask, matrix_size)[0][np.newaxis],
        voxel_size=np.array([voxel_size], np.float32),
        b0_direction=b0_direction[np.newaxis],
    )
    susceptibility = outputs.pop("susceptibility")[0][inside]
    if not np.isfinite(susceptibility).all():
        raise ValueError("the result is not finite; is the field in ppm?")
    return susceptibility, {name: value[0].tolist() for name, value in outputs.items()}


def load(path):
    """A volume of real numbers from a `.npy` file."""
    try:
        with open(path, "rb") as file:  # which NumPy leaves open where it is damaged
            volume = np.load(file)
    except (EOFError, ValueError, MemoryError, zipfile.BadZipFile):
        volume = None
    if not isinstance(volume, np.ndarray) or volume.dtype.kind not in "biuf":
        raise ValueError(f"{path}: not a .npy file of real numbers")
    return volume


def save(path, volume):
    """Write an array; what was there before stays until all of it is written."""
    temporary = f"{path}.part"
    try:
        with open(temporary, "wb") as file:
            np.save(file, volume)
        os.replace(temporary, path)
    except BaseException as error:
        if os.path.exists(temporary):
            os.remove(temporary)
        if isinstance(error, OSError):
            raise OSError(f"{path}: cannot be written, {error.strerror}") from error
        raise


def plain(word):
    """-1e-5 without an exponent, with which argparse takes it for a flag."""
    try:
        number = float(word)
    except ValueError:
        return word
    return np.format_float_positional(number, trim="-") if number < 0 else word


def thread_count(word):
    """A number of threads; the runtime does not survive 100000."""
    if not (word.isdecimal() and 1 <= int(word) <= 256):
        raise argparse.ArgumentTypeError(f"expected 1 to 256, got {word!r}")
    return int(word)


def main():
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "field", "mask", "output"):
        parser.add_argument(name)
    vector = {"type": float, "nargs": 3, "required": True}
    parser.add_argument("--voxel_size", **vector, help="mm")
    parser.add_argument("--b0_direction", **vector, help="in voxel axes")
    parser.add_argument("--threads", type=thread_count)
    options = parser.parse_args([plain(word) for word in sys.argv[1:]])
    if not options.output:
        parser.error("output: got nothing")
    if not options.output.endswith(".npy"):
        options.output += ".npy"
    inputs = (options.model, options.field, options.mask)
    if os.path.realpath(options.output) in map(os.path.realpath, inputs):
        parser.error(f"{options.output}: is an input, too")
    folder = os.path.dirname(options.output) or "."
    if not os.access(folder, os.W_OK) or os.path.isdir(options.output):
        parser.error(f"{options.output}: cannot be written")
    try:
        susceptibility, report = reconstruct(
            options.model,
            load(options.field),
            load(options.mask),
            options.voxel_size,
            options.b0_direction,
            options.threads,
        )
        save(options.output, susceptibility)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
