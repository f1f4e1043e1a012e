"""Trains a small network with a strategy: `python -m tests.train_small NAME FOLDER`."""

import sys

import keras
import numpy as np
import tensorflow as tf

from spinet_tf import SpiNetQSM
from spinet_tf.training.run import Recipe, train
from spinet_tf.training.strategy import (
    make_strategy,
    mean_over_replicas,
    writes_files,
)
from tests.stored_examples import stored_examples

SIZE, COUNT = 10, 6


def stored(seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros((COUNT, SIZE, SIZE, SIZE), np.uint8)
    for index in range(COUNT):
        # Masks of different size: their voxels must not weigh differently.
        mask[index, 1 : 5 + index % 4, 1:-2, 2:-1] = 1
    chi = 0.03 * mask * rng.standard_normal(mask.shape)
    return stored_examples(chi, mask, 255 * mask)


def main(name, folder):
    if name == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, halves)
    strategy = make_strategy(name)
    replicas = 1 if name == "none" else 2
    assert strategy.num_replicas_in_sync == replicas
    assert mean_over_replicas(strategy, 3.0) == 3
    keras.utils.set_random_seed(0)
    with strategy.scope():
        network = SpiNetQSM(
            filters=4, blocks=1, unrolls=2, initial_p=1.7, tolerance=1e-5
        )
    recipe = Recipe(
        steps=4,
        steps_per_epoch=2,
        batch_size=4,
        warmup_steps=2,
        ema_momentum=0.9,
        recompute_denoiser=name == "mirrored",  # which changes nothing
    )
    validation = stored(1).take(1)
    logs = train(network, stored(0), validation, recipe, folder, 0, strategy)
    assert np.isfinite(list(logs.values())).all()
    told = {"loss", "susceptibility_loss", "best"}
    if writes_files(strategy):
        told |= {"val_nrmse", "lambda", "p"}
    assert told <= set(logs)


if __name__ == "__main__":
    main(*sys.argv[1:])
