"""Reconstructs by a SavedModel in this process, in plain TensorFlow."""

from pathlib import Path

import tensorflow as tf

from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import read_json_object
from spinet_tf.serving.answers import Answering, refusal
from spinet_tf.serving.saved_model import versions
from spinet_tf.serving.served_model import ServedModel
from spinet_tf.serving.signatures import DEFAULT_SIGNATURE, UNROLLS_SIGNATURE

FACTS = ("Lambda", "P", "Precision", "SolverTolerance")
NEWER_FACTS = ("AdaptivePenalty", "DipoleAtZero")
"""Which earlier exports may not have."""


class SavedModelReconstructor(Answering):
    """What `Reconstructor` is, run from a SavedModel; threads may share it.

    Args:
        folder: path of the version directory.
        iterates: bool, whether to give the map after each unroll. Defaults to False.

    Raises:
        OSError, tf.errors.OpError: there is no SavedModel, or it cannot be loaded.
        ValueError: it is none that `export.py` wrote.
    """

    def __init__(self, folder, iterates=False):
        self._model = ServedModel(Path(folder), warm_up=False)
        self._signature = UNROLLS_SIGNATURE if iterates else DEFAULT_SIGNATURE

    def predict(self, inputs):
        """Reconstruct a batch.

        Args:
            inputs: dict of float32 arrays, as the signature takes them.

        Returns:
            dict of arrays.

        Raises:
            InputError: the graph refuses the batch, or its result.
        """
        try:
            return self._model.run(self._signature, inputs)
        except tf.errors.OpError as error:
            raise InputError(f"model: {refusal(error)}") from error


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
