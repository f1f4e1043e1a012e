"""Trains a network: the one function behind `train.py`."""

import contextlib
from pathlib import Path
from typing import NamedTuple

import keras

from spinet_tf.atomic_write import atomic_path
from spinet_tf.errors import InputError
from spinet_tf.field_simulation import FieldErrors
from spinet_tf.folder_lock import locked
from spinet_tf.input_pipeline import (
    WHOLE,
    sizes_that_batch,
    training_stream,
    validation_batches,
)
from spinet_tf.losses import LossWeights
from spinet_tf.training import multi_worker
from spinet_tf.training.checkpoint import Checkpoint, StopAtNaN
from spinet_tf.training.csv_log import best_in_log, keep_log_until
from spinet_tf.training.strategy import (
    check_agreement,
    check_batch_size,
    is_multi_worker,
    make_strategy,
    writes_files,
)
from spinet_tf.training.trainer import Trainer
from spinet_tf.training.validation import Validation, meet_constraints

MAY_CHANGE = ("steps", "recompute_denoiser")
"""What of a recipe a training that goes on may have otherwise."""


class Recipe(NamedTuple):
    """How to train.

    Attributes:
        steps: int, optimizer steps in all.
        steps_per_epoch: int, steps between validations and checkpoints.
        batch_size: int.
        learning_rate: float, at its height.
        warmup_steps: int, of linear rise; a cosine decay to 1% follows.
        clip_norm: float, limit of the gradient's global norm.
        ema_momentum: float in [0, 1), of the averaged weights; 0 turns it off.
        loss_weights: `LossWeights`.
        errors: `FieldErrors`.
        seed: int.
        data: str, what the stored examples are. Defaults to nothing.
        recompute_denoiser: bool, see `Trainer`; takes less memory and more time.
        initial: str, what the weights to begin with are. Defaults to nothing.
        scans: str, what scans the examples are of. Defaults to nothing.
        measured_fields: float in [0, 1], see `spinet_tf.training_example.make_example`.
            Defaults to 0.
        strong_sources: float in [0, 1], likewise. Defaults to 0.
    """

    steps: int
    steps_per_epoch: int
    batch_size: int = 1
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    clip_norm: float = 1.0
    ema_momentum: float = 0.995
    loss_weights: LossWeights = LossWeights()
    errors: FieldErrors = FieldErrors()
    seed: int = 0
    data: str = ""
    recompute_denoiser: bool = False
    initial: str = ""
    scans: str = ""
    measured_fields: float = 0.0
    strong_sources: float = 0.0


def _optimizer(recipe):
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 100,
        decay_steps=max(1, recipe.steps - recipe.warmup_steps),
        alpha=0.01,
        warmup_target=recipe.learning_rate,
        warmup_steps=recipe.warmup_steps,
    )
    if recipe.ema_momentum:
        return keras.optimizers.Adam(
            schedule, use_ema=True, ema_momentum=recipe.ema_momentum
        )
    return keras.optimizers.Adam(schedule)


def compiled_trainer(network, recipe):
    """A `Trainer` with its optimizer; to be called in the strategy's scope."""
    trainer = Trainer(
        network, recipe.loss_weights, recipe.clip_norm, recipe.recompute_denoiser
    )
    trainer.compile(optimizer=_optimizer(recipe), jit_compile=False)
    trainer.optimizer.build(trainer.trainable_variables)
    return trainer


def train(
    network,
    stored,
    validation,
    recipe,
    folder,
    verbose="auto",
    strategy=None,
    flagfile=None,
):
    """Train a network, from the newest checkpoint in the folder if there is one.

    Args:
        network: `SpiNetQSM`, made in the strategy's scope; changed in place, it ends
            with the averaged weights.
        stored: `tf.data.Dataset` of stored examples for training, in a fixed order.
        validation: `tf.data.Dataset` of stored examples for validation.
        recipe: `Recipe`.
        folder: path for checkpoints, logs, `best.keras` and `last.keras`; one that all
            processes see.
        verbose: as in `keras.Model.fit`. Defaults to "auto".
        strategy: `tf.distribute.Strategy`. Defaults to this process alone.
        flagfile: str, the flags that ask for this training, which `flags.txt` in the
            folder keeps. Defaults to None: it is not written.

    Returns:
        dict of the last epoch's logs and the best validation metric.

    Raises:
        InputError: the checkpoint or the log is damaged, the checkpoint is of another
            training or beyond the recipe's steps, another training runs in the folder,
            another process has another task, or the batch cannot be shared by the
            replicas or is of volumes of unlike sizes.
        OSError: the checkpoint cannot be opened.
        FloatingPointError: the loss or a weight became NaN or infinite; the last good
            checkpoint stays.
    """
    strategy = strategy or make_strategy("none")
    check_batch_size(strategy, recipe.batch_size)
    folder = Path(folder)

    def refuse():
        raise InputError(
            f"{folder}: another training runs in it; use another run folder"
        )

    alone = contextlib.nullcontext()
    if writes_files(strategy):
        alone = locked(folder, refuse)
    with alone, sizes_that_batch(recipe.batch_size):
        return _train(
            network, stored, validation, recipe, folder, verbose, strategy, flagfile
        )


def _train(network, stored, validation, recipe, folder, verbose, strategy, flagfile):
    with strategy.scope():
        trainer = compiled_trainer(network, recipe)
        identity = _identity(network, recipe)
        checkpoint = Checkpoint(folder / "checkpoints", identity)
        completed = checkpoint.restore(trainer)
    check_agreement(strategy, identity | {"steps": recipe.steps}, completed, folder)
    taken = completed * recipe.steps_per_epoch
    if taken > recipe.steps:
        raise InputError(
            f"steps: expected no fewer than the {taken} that the training in {folder}"
            f" has taken, got {recipe.steps}"
        )

    log = folder / "log.csv"
    callbacks, loggers = [StopAtNaN()], []
    if writes_files(strategy):
        keep_log_until(log, completed)
        best = best_in_log(log)
        if flagfile is not None:
            with atomic_path(folder / "flags.txt") as temporary:
                temporary.write_text(flagfile)
        checked = validation_batches(
            validation, recipe.errors, recipe.seed, recipe.measured_fields
        )
        loggers = [
            keras.callbacks.CSVLogger(log, append=True),
            keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False),
        ]
        check = Validation(checked, folder, best)
        callbacks += [check, *loggers, checkpoint]
    try:
        last = _fit(trainer, stored, recipe, completed, callbacks, verbose, strategy)
    except BaseException:
        for callback in loggers:
            callback.on_train_end()
        raise
    meet_constraints(trainer.trainable_variables)
    return {**last, "best": best_in_log(log)}


def _identity(network, recipe):
    """What a checkpoint must share with a training that goes on from it."""
    return {
        "network": type(network).__name__,
        **{k: v for k, v in network.get_config().items() if k not in ("name", "dtype")},
        **{k: v for k, v in recipe._asdict().items() if k not in MAY_CHANGE},
        "loss_weights": recipe.loss_weights._asdict(),
        "errors": recipe.errors._asdict(),
    }


def _fit(trainer, stored, recipe, completed, callbacks, verbose, strategy):
    """The logs of the last epoch, by Keras `fit` where it supports the strategy."""

    def make_stream(share=WHOLE):
        return training_stream(
            stored,
            recipe.errors,
            recipe.batch_size,
            recipe.seed,
            start=completed * recipe.steps_per_epoch,
            share=share,
            measured_fields=recipe.measured_fields,
            strong_sources=recipe.strong_sources,
        )

    if is_multi_worker(strategy):
        verbose = verbose if writes_files(strategy) else 0
        history = multi_worker.fit(
            trainer, strategy, make_stream, recipe, completed, callbacks, verbose
        )
    else:
        history = trainer.fit(
            make_stream(),
            initial_epoch=completed,
            epochs=recipe.steps // recipe.steps_per_epoch,
            steps_per_epoch=recipe.steps_per_epoch,
            verbose=verbose,
            shuffle=False,
            callbacks=callbacks,
        )
    return {name: values[-1] for name, values in history.history.items()}
