"""What a `.keras` file must hold before Keras is given it."""

import inspect
import io
import json
import math
import zipfile

import h5py

from spinet_tf.errors import InputError
from spinet_tf.model import SpiNetQSM

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
LARGEST = {CONFIG: 2**20, METADATA: 2**20, WEIGHTS: 2**30}
"""Bytes of the members, unpacked."""
CLASSES = ("SpiNetQSM", "DenoiserOnly")
ARGUMENTS = {"name", "trainable", "dtype", *inspect.signature(SpiNetQSM).parameters}
PLAIN = (str, bool, int, float, type(None))


def check_archive(path):
    """Check that a file holds a network of ours and nothing else.

    Nothing that Keras could import, call or unpack for it is left to Keras.

    Args:
        path: a zip file.

    Raises:
        InputError: it holds something else.
        Exception: it is damaged, or its parts do not go together.
    """
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        _check_members(sizes)
        config = _config(archive.read(CONFIG))
        weights = archive.read(WEIGHTS)
    _check_class(config, path)
    _check_size(config["config"], len(weights))
    _check_weights(weights)


def _check_members(sizes):
    for name in (CONFIG, WEIGHTS):
        if name not in sizes:
            raise ValueError(f"it has no {name}")
    for name, size in sizes.items():
        if name not in LARGEST:
            raise ValueError(
                f"expected {', '.join(LARGEST)} in it, found {name[:100]!r} too"
            )
        if size > LARGEST[name]:
            raise ValueError(
                f"expected at most {LARGEST[name]} bytes as {name}, it has {size}"
            )


def _config(content):
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else error
        raise ValueError(f"{CONFIG}: {reason}") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise ValueError(f"{CONFIG} describes no network")
    return config


def _check_class(config, path):
    name, registered = config.get("class_name"), config.get("registered_name")
    if name not in CLASSES or registered != f"spinet_tf>{name}":
        found = str(name if name not in CLASSES else registered)[:100]
        raise InputError(f"{path}: expected a SpiNet-QSM model, found {found}")
    unknown = [key[:100] for key in config["config"] if key not in ARGUMENTS]
    if unknown:
        raise InputError(
            f"{path}: saved by another version of spinet-tf, this one does not know"
            f" {', '.join(unknown[:5])}"
        )
    for key, value in config["config"].items():
        if key == "dtype" and isinstance(value, dict):
            kind = value.get("module"), value.get("class_name")
            values = [value.get("config", {}).get("name")]
            if kind != ("keras", "DTypePolicy") or len(value["config"]) != 1:
                raise ValueError(f"{key} is {kind}")
        else:
            values = [value]
        if not all(isinstance(each, PLAIN) for each in values):
            raise ValueError(
                f"expected a plain value as {key[:100]!r}, found {value!r:.100}"
            )


def _check_size(arguments, n_bytes):
    """Have no network built whose weights are not there."""
    blocks, filters = (arguments.get(name) for name in ("blocks", "filters"))
    if not all(isinstance(n, int) and n > 0 for n in (blocks, filters)):
        raise ValueError(
            "expected integers > 0 as blocks and filters, found"
            f" {blocks!r:.100} and {filters!r:.100}"
        )
    # Two kernels of 3 x 3 x 3 a block, at least two bytes a number.
    if 2 * 2 * 27 * blocks * filters**2 > n_bytes:
        raise ValueError(
            f"the weights of {blocks} blocks of {filters} filters do not fit in the"
            f" {n_bytes} bytes there are"
        )


def _check_weights(content):
    def check(name, item):
        if isinstance(item, h5py.Dataset) and not (
            not (item.is_virtual or item.external)
            and item.dtype.kind in ("iuf" if name.startswith("optimizer/") else "f")
            and item.shape is not None
            and math.prod(item.shape) * item.dtype.itemsize <= len(content)
        ):
            raise ValueError(f"{name[:100]!r} in it is no array of weights")

    with h5py.File(io.BytesIO(content), "r") as file:
        file.visititems(check)
