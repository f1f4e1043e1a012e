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


def waits(tensor):
    """Whether it is another one's value, but only to be had after something else."""
    while tensor.op.type == "Identity":
        if tensor.op.control_inputs:
            return True
        (tensor,) = tensor.op.inputs
    return False


def test_what_is_run_again_waits_for_the_backward_pass(monkeypatch):
    """Otherwise it is run, or found to have been run, in the forward pass."""
    inputs, found = scan(), {}
    for recompute_denoiser in (False, True):
        model = small_model(**NETWORKS["release"])
        trainer = Trainer(model, recompute_denoiser=recompute_denoiser)
        denoiser, given = type(model.denoiser), []
        call = denoiser.call

        def watched(self, volume, training=False, call=call, given=given):
            given.append(volume)
            return call(self, volume, training=training)

        @tf.function(autograph=False)
        def gradients(model=model, trainer=trainer):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(trainer.reconstruct(inputs))
            return tape.gradient(loss, [v.value for v in model.trainable_variables])

        with monkeypatch.context() as patch:
            patch.setattr(denoiser, "call", watched)
            gradients.get_concrete_function()
        found[recompute_denoiser] = [waits(volume) for volume in given]
    assert found == {False: [False] * 2, True: [False] * 2 + [True] * 2}
