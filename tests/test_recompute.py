"""Running the CNN again for its gradient changes nothing but time and memory."""

import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.training.trainer import Trainer
from tests.networks import VARIANTS, scan, small_model

NETWORKS = {
    **{name: VARIANTS[name] for name in ("release", "fill", "shipped")},
    "dropout": {"dropout": 0.3, "initial_p": 1.5},
    "no_batch_norm": {"batch_norm": False, "learn_p": False},
}


def train_twice(variant, recompute_denoiser, inputs, upstream):
    """Gradients of two steps, and all that the two have changed."""
    model = small_model(dtype="float64", **NETWORKS[variant])
    trainer = Trainer(model, recompute_denoiser=recompute_denoiser)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(upstream * trainer.reconstruct(inputs))
        return tape.gradient(loss, [v.value for v in model.trainable_variables])

    found = [gradients(), gradients()]
    return found, [variable.numpy() for variable in model.non_trainable_variables]


@pytest.mark.parametrize("variant", NETWORKS)
def test_gradients_statistics_and_dropout_are_the_same(variant):
    inputs = scan(dtype=np.float64)
    upstream = np.random.default_rng(1).standard_normal(inputs["mask"].shape)
    kept, kept_state = train_twice(variant, False, inputs, upstream)
    again, again_state = train_twice(variant, True, inputs, upstream)
    for a, b in zip(tf.nest.flatten(kept), tf.nest.flatten(again), strict=True):
        assert np.abs(a).max() > 0
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-12 * np.abs(a).max())
    for a, b in zip(kept_state, again_state, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-13)
