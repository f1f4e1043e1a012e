"""Reading and writing models as `.keras` files."""

import os
import re
import zipfile
from pathlib import Path

import keras
import numpy as np

from spinet_tf.atomic_write import atomic_path
from spinet_tf.errors import InputError
from spinet_tf.model import SpiNetQSM
from spinet_tf.model_archive import check_archive


def load_model(path):
    """Read a SpiNet-QSM model; nothing in the file is executed.

    Args:
        path: a `.keras` file.

    Returns:
        `SpiNetQSM`.

    Raises:
        InputError: the file is missing, damaged or another kind of model, or has NaN
            or infinity for weights.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such model file")
    if path.suffix != ".keras":
        raise InputError(f"{path}: expected a .keras file")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: damaged or not a .keras file")
    try:
        check_archive(path)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except InputError:
        raise
    except Exception as error:  # Keras raises many kinds; all mean the same here
        reason = re.split(r"\.\s|\n", str(error).strip() or type(error).__name__)[0]
        raise InputError(f"{path}: not a SpiNet-QSM model: {reason}") from error
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise InputError(f"{path}: the weights hold NaN or infinity")
    return model


def save_model(model, path):
    """Write a model, completely or not at all.

    Args:
        model: `SpiNetQSM`.
        path: a `.keras` file.

    Raises:
        InputError: the name ends otherwise, or the file cannot be written.
        TypeError: the model is none of ours, which `load_model` would refuse.
    """
    if not isinstance(model, SpiNetQSM):
        raise TypeError(f"expected a SpiNet-QSM model, got {type(model).__name__}")
    if Path(path).suffix != ".keras":
        raise InputError(f"{path}: expected a name that ends in .keras")
    with atomic_path(path) as temporary:
        model.save(temporary)
