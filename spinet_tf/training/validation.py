"""Validation on whole volumes after every epoch, with the averaged weights."""

import contextlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from spinet_tf.evaluate import evaluate
from spinet_tf.figures import three_planes
from spinet_tf.model_files import save_model

METRICS = {
    "val_nrmse": ("challenge", "nrmse"),
    "val_hfen": ("challenge", "hfen"),
    "val_xsim": ("challenge", "xsim"),
    "val_correlation": ("challenge", "correlation"),
    "val_release_rmse": ("release", "rmse"),
    "val_release_ssim": ("release", "ssim"),
}
CHOSEN_BY = "val_nrmse"


def meet_constraints(variables):
    """Apply the variables' constraints, which Keras does not do with averages.

    Args:
        variables: list of `keras.Variable`, changed in place.
    """
    for variable in variables:
        if variable.constraint is not None:
            variable.assign(variable.constraint(variable))


@contextlib.contextmanager
def averaged_weights(model):
    """Give a model the optimizer's moving average of its weights for a while.

    Args:
        model: `keras.Model`; without `use_ema` in its optimizer nothing changes.
    """
    optimizer = model.optimizer
    if not optimizer.use_ema:
        yield
        return
    averages = optimizer._model_variables_moving_average
    variables = model.trainable_variables
    own = [v.numpy() for v in variables]
    for variable, average in zip(variables, averages, strict=True):
        variable.assign(average)
    meet_constraints(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, own, strict=True):
            variable.assign(value)


class Validation(keras.callbacks.Callback):
    """Adds the metrics of both families to the logs, saves the best and last model.

    Args:
        batches: `tf.data.Dataset` of (inputs, truth) batches of one volume, the same
            whenever it is read.
        folder: path for `best.keras`, `last.keras`, `validation.png` and TensorBoard's
            pictures.
        best: float, the best `val_nrmse` so far. Defaults to infinity.
    """

    def __init__(self, batches, folder, best=float("inf")):
        super().__init__()
        # Not kept: the volumes of a large data set would take gigabytes.
        self.batches = batches
        for _ in batches:  # what is wrong with one is told before the training
            pass
        self.folder = Path(folder)
        self.best = best
        self._reconstruct = None
        self.pictures = tf.summary.create_file_writer(str(self.folder / "pictures"))

    def set_model(self, model):
        super().set_model(model)
        self._reconstruct = tf.function(model.network.reconstruct)

    def on_epoch_end(self, epoch, logs=None):
        with averaged_weights(self.model):
            network = self.model.network
            logs.update(self._evaluate(epoch))
            logs.update({"lambda": network.lambda_, "p": network.p})
            save_model(network, self.folder / "last.keras")
            if logs[CHOSEN_BY] < self.best:
                self.best = logs[CHOSEN_BY]
                save_model(network, self.folder / "best.keras")

    def _evaluate(self, epoch):
        values = {name: [] for name in (*METRICS, "val_solver_iterations")}
        for index, (inputs, truth) in enumerate(self.batches):
            last = self._reconstruct(inputs)
            chi, truth = (x.numpy()[0, ..., 0] for x in (last.susceptibility, truth))
            mask = inputs["mask"].numpy()[0, ..., 0]
            result = evaluate(chi, truth, mask)
            for name, (family, metric) in METRICS.items():
                values[name].append(result[family][metric])
            values["val_solver_iterations"].append(float(last.iterations[0]))
            if index == 0:
                voxel_size = inputs["voxel_size"].numpy()[0]
                self._write_picture(chi, truth, mask, voxel_size, epoch)
        return {name: float(np.mean(value)) for name, value in values.items()}

    def _write_picture(self, susceptibility, truth, mask, voxel_size, epoch):
        rows = {
            "reconstruction": susceptibility,
            "truth": truth,
            "error": susceptibility - truth,
        }
        path = self.folder / "validation.png"
        three_planes(path, rows, mask, voxel_size)
        with self.pictures.as_default(step=epoch):
            picture = tf.io.decode_png(path.read_bytes(), channels=3)
            tf.summary.image("validation", picture[tf.newaxis])
