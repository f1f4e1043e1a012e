"""Training on several processes.

Keras `fit` does not run under `MultiWorkerMirroredStrategy`
(https://github.com/keras-team/keras/issues/20585), so this is its loop: the trainer's
own step, run by the strategy, and the same callbacks.
"""

import keras
import tensorflow as tf

from spinet_tf.training.strategy import mean_over_replicas, share_of


def fit(trainer, strategy, make_stream, recipe, first_epoch, callbacks, verbose):
    """Train like `keras.Model.fit`, with every process at the same step.

    Args:
        trainer: `Trainer`, compiled under the strategy.
        strategy: `tf.distribute.MultiWorkerMirroredStrategy`.
        make_stream: callable of a `Share`, that part of the training stream.
        recipe: `Recipe`.
        first_epoch: int, epochs completed before.
        callbacks: list of `keras.callbacks.Callback`.
        verbose: 0, 1 or 2 as in Keras.

    Returns:
        `keras.callbacks.History`.
    """
    stream = iter(
        strategy.distribute_datasets_from_function(
            lambda _: make_stream(share_of(strategy))
        )
    )

    @tf.function
    def step(iterator):
        logs = strategy.run(trainer.train_step, args=(next(iterator),))
        return {name: strategy.reduce("MEAN", logs[name], axis=None) for name in logs}

    epochs = recipe.steps // recipe.steps_per_epoch
    listeners = keras.callbacks.CallbackList(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        model=trainer,
        verbose=verbose,
        epochs=epochs,
        steps=recipe.steps_per_epoch,
    )
    logs = {}
    listeners.on_train_begin()
    for epoch in range(first_epoch, epochs):
        trainer.reset_metrics()
        listeners.on_epoch_begin(epoch)
        for index in range(recipe.steps_per_epoch):
            listeners.on_train_batch_begin(index)
            logs = {name: float(value) for name, value in step(stream).items()}
            listeners.on_train_batch_end(index, logs)
        listeners.on_epoch_end(epoch, logs)
    # As `fit` does at its end: the averaged weights become the weights.
    trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
    listeners.on_train_end(logs)
    # The others wait for what the first process writes.
    mean_over_replicas(strategy, 0.0)
    return trainer.history
