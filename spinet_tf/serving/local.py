"""Reconstructs by a SavedModel in this process, in plain TensorFlow."""

import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import read_json_object
from spinet_tf.serving.answers import reconstruction_from, refusal
from spinet_tf.serving.saved_model import versions
from spinet_tf.serving.served_model import ServedModel
from spinet_tf.serving.signatures import DEFAULT_SIGNATURE, INPUTS, UNROLLS_SIGNATURE

FACTS = ("Lambda", "P", "Precision", "SolverTolerance")
NEWER_FACTS = ("AdaptivePenalty", "DipoleAtZero")
"""Which earlier exports may not have."""


class SavedModelReconstructor:
    """What `Reconstructor` is, run from a SavedModel; threads may share it.

    Args:
        folder: path of the version directory.
        iterates: bool, whether to give the map after each unroll. Defaults to False.

    Raises:
        OSError, tf.errors.OpError: there is no SavedModel, or it cannot be loaded.
    """

    def __init__(self, folder, iterates=False):
        self._model = ServedModel(Path(folder), warm_up=False)
        self._signature = UNROLLS_SIGNATURE if iterates else DEFAULT_SIGNATURE

    def __call__(self, local_field, mask, voxel_size, b0_direction):
        """Reconstruct one volume.

        Args:
            local_field: float32 `(x, y, z)` [ppm].
            mask: `(x, y, z)`, 0 or 1.
            voxel_size: three floats [mm].
            b0_direction: three floats, in voxel axes.

        Returns:
            A `Reconstruction`; its unrolls have no maps unless `iterates` was asked
            for, and no times.

        Raises:
            InputError: the graph refuses the volume, or its result.
        """
        start = time.monotonic()
        values = (local_field, mask, voxel_size, b0_direction)
        inputs = {
            name: np.asarray(value, np.float32)[np.newaxis]
            for name, value in zip(INPUTS, values, strict=True)
        }
        try:
            results = self._model.run(self._signature, inputs)
        except tf.errors.OpError as error:
            raise InputError(f"model: {refusal(error)}") from error
        return reconstruction_from(results, time.monotonic() - start)


def newest_version(folder):
    """The newest version that `export.py` wrote, and what is known of it.

    Args:
        folder: path of the model's base directory, which holds `1`, `2`, ...

    Returns:
        `Path` of the version directory, and a dict for sidecars.

    Raises:
        InputError: there is none.
    """
    folder = Path(folder)
    found = versions(folder) if folder.is_dir() else []
    version = folder / str(found[-1]) if found else None
    try:
        facts = read_json_object(version / "spinet_qsm.json") if version else {}
    except InputError:
        facts = {}
    if not set(FACTS) <= set(facts):
        raise InputError(
            f"{folder}: expected a folder with version directories 1, 2, ..., each a "
            "SavedModel that export.py wrote"
        )
    details = {"Model": folder.name, "ModelVersion": found[-1]}
    said = {name: facts[name] for name in FACTS + NEWER_FACTS if name in facts}
    return version, details | said
