"""A step of training is that of its recipe."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from spinet_tf import DenoiserOnly
from spinet_tf.losses import LossWeights
from spinet_tf.training.run import (
    Recipe,
    compiled_trainer,
)
from spinet_tf.training.trainer import Trainer
from tests.test_field_simulation import B0
from tests.trainings import RECIPE, network


def test_the_learning_rate_rises_and_falls_as_the_recipe_says():
    recipe = Recipe(1000, 100, learning_rate=2e-3, warmup_steps=200)
    optimizer = compiled_trainer(network(), recipe).optimizer
    rates = []
    for step in (0, 100, 200, 600, 1000):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    expected = [2e-5, 1.01e-3, 2e-3, 1.01e-3, 2e-5]
    np.testing.assert_allclose(rates, expected, rtol=1e-3)


def test_the_trainer_is_of_the_recipe():
    weights = LossWeights(1.0, 2.0, 3.0)
    recipe = RECIPE._replace(
        clip_norm=0.3, loss_weights=weights, ema_momentum=0.7, recompute_denoiser=True
    )
    trainer = compiled_trainer(network(), recipe)
    assert (trainer.clip_norm, trainer.loss_weights) == (0.3, weights)
    assert trainer.recompute_denoiser
    assert trainer.optimizer.use_ema and trainer.optimizer.ema_momentum == 0.7
    off = compiled_trainer(network(), recipe._replace(ema_momentum=0.0))
    assert not off.optimizer.use_ema


def test_a_step_clips_the_whole_gradient_and_names_the_parts():
    model = DenoiserOnly(filters=4, blocks=1, chi_std=0.05)
    trainer = Trainer(model, LossWeights(1.0, 0.3, 0.2), clip_norm=0.001)
    trainer.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    rng = np.random.default_rng(0)
    truth, field = (
        tf.constant(0.03 * rng.standard_normal((1, 8, 8, 8, 1)), tf.float32)
        for _ in range(2)
    )
    geometry = {"voxel_size": tf.ones((1, 3)), "b0_direction": tf.constant([B0])}
    inputs = {"local_field": field, "mask": tf.ones_like(field), **geometry}
    batch = (inputs, truth)
    before = [v.numpy() for v in trainer.trainable_variables]
    statistics = [v.numpy() for v in model.non_trainable_variables]
    logs = {name: float(value) for name, value in trainer.train_step(batch).items()}
    changes = [
        a - v.numpy() for a, v in zip(before, trainer.trainable_variables, strict=True)
    ]
    norm = np.sqrt(sum((change**2).sum() for change in changes))
    assert norm == pytest.approx(0.001, rel=1e-3)
    parts = [logs[f"{name}_loss"] for name in LossWeights._fields]
    assert logs["loss"] == pytest.approx(np.dot(parts, (1.0, 0.3, 0.2)), rel=1e-5)
    assert 0.2 < parts[0] < 1.2 and parts[2] > 2 * parts[0]  # in chi_std; edges
    moved = zip(statistics, model.non_trainable_variables, strict=True)
    assert any(np.abs(a - v.numpy()).max() > 0 for a, v in moved)
