"""Checkpoints that a killed training resumes from."""

import json
import os
import re
import zipfile
from pathlib import Path

import keras
import numpy as np

from spinet_tf.atomic_write import atomic_path
from spinet_tf.errors import InputError

IDENTITY = "identity"
BEFORE = {"measured_fields": 0.0, "strong_sources": 0.0}
"""What a checkpoint was made with that does not tell it."""
_DAMAGED = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)
PATTERN = re.compile(r"epoch-(\d+)\.npz")


def training_state(model):
    """Everything that changes in a training.

    Args:
        model: `keras.Model`, compiled, its optimizer built.

    Returns:
        list of variables: weights, averages, moments, and the state of random
        generators, which Keras's own weight files leave out.
    """
    return [*model.variables, *model.optimizer.variables]


class Checkpoint(keras.callbacks.Callback):
    """Saves the state of the training after every epoch; the newest file is kept.

    A file appears complete or not at all, and the one before it goes only afterwards,
    so a training killed at any moment has one to resume from.

    Args:
        folder: path; made if missing.
        identity: dict of what a checkpoint must share with the training that goes on
            from it, of what JSON can hold. Defaults to nothing.
    """

    def __init__(self, folder, identity=None):
        super().__init__()
        self.identity = json.loads(json.dumps(identity or {}))
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def _files(self):
        matches = (PATTERN.fullmatch(path.name) for path in self.folder.iterdir())
        return {int(match[1]): self.folder / match[0] for match in matches if match}

    def restore(self, model):
        """Restore the newest checkpoint.

        Args:
            model: `keras.Model`, compiled, its optimizer built.

        Returns:
            int, epochs completed; 0 without a checkpoint.

        Raises:
            InputError: the checkpoint is damaged or of another training.
            OSError: it cannot be opened.
        """
        files = self._files()
        if not files:
            return 0
        completed = max(files)
        state = training_state(model)
        path = files[completed]
        with open(path, "rb") as stream:  # one that cannot be opened is not damaged
            try:
                with np.load(stream) as file:
                    identity = json.loads(str(file[IDENTITY]))
                    names = [name for name in file.files if name != IDENTITY]
                    values = [file[name] for name in names]
            except _DAMAGED as error:
                raise InputError(f"{path}: damaged or not a checkpoint") from error
        before = {k: v for k, v in BEFORE.items() if k in self.identity}
        for name, old in (before | identity).items():  # it may not tell all
            new = self.identity.get(name)
            if old != new:
                raise InputError(
                    f"{path}: is of another training, with {name} {old} instead of "
                    f"{new}; use another run folder"
                )
        if [v.shape for v in values] != [tuple(v.shape) for v in state]:
            raise InputError(f"{path}: is of another optimizer; use another run folder")
        for variable, value in zip(state, values, strict=True):
            variable.assign(value)
        return completed

    def on_epoch_end(self, epoch, logs=None):
        values = [v.numpy() for v in training_state(self.model)]
        newest = self.folder / f"epoch-{epoch + 1}.npz"
        with atomic_path(newest) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, *values, **{IDENTITY: json.dumps(self.identity)})
            stream.flush()
            os.fsync(stream.fileno())  # before the one before it goes
        for path in set(self._files().values()) - {newest}:
            path.unlink()


class StopAtNaN(keras.callbacks.Callback):
    """Ends the training at the first loss or weight that is NaN or infinite.

    It comes before the callbacks that write what is in the weights.
    """

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            step = int(self.model.optimizer.iterations)
            raise FloatingPointError(f"the loss became {loss} in step {step}")

    def on_epoch_end(self, epoch, logs=None):
        # The loss tells of the last step's weights only in the next one.
        state = training_state(self.model)
        if not all(np.isfinite(variable.numpy()).all() for variable in state):
            raise FloatingPointError("a weight became NaN or infinite")
