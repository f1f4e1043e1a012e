"""Small trainings."""

import keras
import numpy as np

from spinet_tf import SpiNetQSM
from spinet_tf.training.checkpoint import Checkpoint
from spinet_tf.training.run import Recipe, _identity, compiled_trainer, train
from tests.stored_examples import stored_examples

RECIPE = Recipe(steps=6, steps_per_epoch=2, warmup_steps=2, ema_momentum=0.9)


def stored(count=3, size=12, seed=0):
    rng = np.random.default_rng(seed)
    mask = np.zeros((count, size, size, size), np.uint8)
    mask[:, 2:-2, 1:-2, 2:-3] = 1
    chi = 0.03 * mask * rng.standard_normal(mask.shape)
    return stored_examples(chi, mask, 255 * mask)


def network(seed=0):
    keras.utils.set_random_seed(seed)
    return SpiNetQSM(
        filters=4, blocks=1, unrolls=2, dropout=0.1, tolerance=1e-3, max_iterations=6
    )


def run(folder, recipe=RECIPE, model=None):
    model = model or network()
    return model, train(model, stored(), stored(1, seed=1), recipe, folder, verbose=0)


def assert_same_weights(first, second, tolerance):
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance)


def save_checkpoint(folder):
    """What three epochs of `RECIPE` would leave, but for the weights."""
    trainer = compiled_trainer(network(), RECIPE)
    identity = _identity(trainer.network, RECIPE)
    checkpoint = Checkpoint(folder / "checkpoints", identity)
    checkpoint.set_model(trainer)
    checkpoint.on_epoch_end(2)


def dense(optimizer="sgd"):
    """A model that is small, and no network of ours."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    model.optimizer.build(model.trainable_variables)
    return model
