"""Writes a network as a SavedModel, in the folders TF-Serving looks for."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import tensorflow as tf
from keras.export import ExportArchive

from spinet_tf.atomic_write import made_folder, why_not_written, write_json
from spinet_tf.copies import folded
from spinet_tf.errors import InputError
from spinet_tf.serving.model_card import model_card, model_facts
from spinet_tf.serving.signatures import signatures
from spinet_tf.serving.warmup import LEAST_VOXELS, write_warmup_requests

LICENCE = Path(__file__).parents[1] / "LICENSE"
MAX_VOXELS = 320 * 320 * 320
NUMBERS = 2**63
"""How many there are of versions: what protobuf's int64 holds."""


def export_saved_model(
    model, output_dir, precision="float32", max_voxels=MAX_VOXELS, notes=""
):
    """Write the next version of a served model.

    The version directory appears complete or not at all, and never replaces one.

    Args:
        model: `SpiNetQSM`; it is not changed.
        output_dir: path, the model's base directory; made if it does not exist.
        precision: "float32", or "bfloat16" for a CNN in bfloat16. Defaults to
            "float32".
        max_voxels: int, voxels of the largest batch the model accepts, 125 or more.
            Defaults to 320^3.
        notes: str, what else the model card says. Defaults to nothing.

    Returns:
        `Path` of the version directory, `output_dir/1` or the next that is free.

    Raises:
        InputError: `max_voxels` is less, or the directory cannot be written to, or has
            the last number there is.
        ValueError: an unknown precision.
    """
    if max_voxels < LEAST_VOXELS:  # no server could warm it up
        raise InputError(
            f"max_voxels: expected {LEAST_VOXELS} or more, got {max_voxels}"
        )
    network = folded(model, precision)
    facts = model_facts(model, precision, max_voxels)
    output_dir = Path(output_dir)
    with (
        made_folder(output_dir, parents=True),
        told_of(output_dir),
        # TF-Serving passes over what is not a number.
        tempfile.TemporaryDirectory(
            prefix=".export-", dir=output_dir, ignore_cleanup_errors=True
        ) as temporary,
    ):
        version = Path(temporary) / "version"
        version.mkdir()  # as the umask has it; what it is in is ours alone
        endpoints = signatures(network, max_voxels)
        write_graph(network, endpoints, version)
        write_warmup_requests(version, max_voxels)
        write_json(version / "spinet_qsm.json", facts)
        (version / "README.md").write_text(model_card(facts, notes), "utf-8")
        shutil.copyfile(LICENCE, version / "LICENSE")
        return _publish(version, output_dir)


@contextlib.contextmanager
def told_of(folder):
    """Tell why a folder cannot be written to in an `InputError`.

    Args:
        folder: path of the folder that the block writes to.

    Raises:
        InputError: the system refused it, as when the disk is full.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = why_not_written(error)
        if reason is None:
            raise
        raise InputError(f"{folder}: cannot be written, {reason}") from error


def write_graph(model, endpoints, folder):
    """Write a SavedModel without gradients.

    Args:
        model: `SpiNetQSM`, whose variables it holds.
        endpoints: dict of a signature's name to its function and `tf.TensorSpec`s,
            None where the function has its own.
        folder: path, empty or not there yet.
    """
    archive = ExportArchive()
    archive.track(model)
    for name, (function, specs) in endpoints.items():
        archive.add_endpoint(name, function, specs)
    # Nobody asks a served graph for gradients, which would double it.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    archive.write_out(folder, options, verbose=False)


def versions(output_dir):
    """Numbers of the versions in a model's base directory, from the first to the last.

    Args:
        output_dir: path.

    Returns:
        list of int.
    """
    return sorted(
        int(path.name)
        for path in Path(output_dir).iterdir()
        if _is_number(path.name) and path.is_dir()
    )


def _is_number(name):
    number = _number_of(name)
    return number is not None and name == str(number)


def _number_of(name):
    """What TF-Serving takes a folder's name for, or None."""
    number = int(name) if name.isdecimal() and len(name) < 100 else NUMBERS
    return number if number < NUMBERS else None


def _publish(temporary, output_dir):
    """Rename the folder to the next version; another export may be as far as this."""
    while True:
        taken = [_number_of(name) or 0 for name in os.listdir(output_dir)]
        number = max(taken, default=0) + 1
        if number == NUMBERS:
            raise InputError(f"{output_dir}: no number is left for another version")
        version = output_dir / str(number)
        try:
            os.rename(temporary, version)
        except OSError:
            if not version.exists():
                raise
        else:
            return version
