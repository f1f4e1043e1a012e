import keras
import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.denoiser import Denoiser, ResidualBlock, add_bias, fold_batch_norm


def randomise(layer, seed=0):
    """Give every weight a value that would show if it were dropped."""
    rng = np.random.default_rng(seed)
    for variable in layer.weights:
        noise = rng.standard_normal(variable.shape).astype("float32")
        positive = "variance" in variable.name or "gamma" in variable.name
        variable.assign(np.abs(noise) + 0.5 if positive else 0.3 * noise)


def small_denoiser(channels=1, **options):
    denoiser = Denoiser(channels, filters=4, blocks=2, **options)
    denoiser.build()
    return denoiser


@pytest.mark.parametrize("channels", [1, 2])
def test_shape_on_odd_and_even_grids(channels):
    denoiser = small_denoiser(channels)
    for size in ((5, 6, 7), (8, 3, 4)):
        x = tf.random.normal((2, *size, channels))
        assert denoiser(x).shape == x.shape


def test_block_is_the_published_sequence():
    block = ResidualBlock(filters=3)
    block.build((None, None, None, None, 3))
    randomise(block)
    x = np.random.default_rng(1).standard_normal((2, 4, 5, 3, 3)).astype("float32")

    def conv_norm(x, conv, norm):
        x = tf.nn.conv3d(x, conv.kernel.value, [1] * 5, "SAME")
        scale = norm.gamma / tf.sqrt(norm.moving_variance.value + 1e-5)
        return (x - norm.moving_mean) * scale + norm.beta

    hidden = tf.nn.relu(conv_norm(x, block.conv_1, block.norm_1))
    expected = tf.nn.relu(conv_norm(hidden, block.conv_2, block.norm_2) + x)
    np.testing.assert_allclose(block(x), expected, atol=1e-5)


def test_folding_changes_nothing():
    trained = small_denoiser(dropout=0.3)
    randomise(trained)
    folded = small_denoiser(batch_norm=False)
    fold_batch_norm(trained, folded)
    assert not any("norm" in v.path for v in folded.weights)
    x = tf.random.normal((2, 6, 5, 7, 1))
    expected = trained(x)
    np.testing.assert_allclose(folded(x), expected, atol=2e-6 * np.abs(expected).max())


def test_training_uses_dropout_and_batch_statistics():
    denoiser = small_denoiser(dropout=0.5)
    randomise(denoiser)
    x = tf.random.normal((2, 6, 6, 6, 1))
    before = denoiser.residual_blocks[0].norm_1.moving_mean.numpy()
    first, second = (denoiser(x, training=True).numpy() for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    after = denoiser.residual_blocks[0].norm_1.moving_mean.numpy()
    assert np.abs(after - before).max() > 1e-4


def test_mixed_precision_keeps_weights_in_float32():
    denoiser = small_denoiser(dtype="mixed_bfloat16")
    assert all(v.dtype == "float32" for v in denoiser.weights)
    assert denoiser(tf.ones((1, 4, 4, 4, 1))).dtype == tf.bfloat16


def test_config_round_trip():
    denoiser = small_denoiser(channels=2, dropout=0.1)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(denoiser)
    )
    assert copy.get_config() == denoiser.get_config()


def test_the_gradient_of_a_bias_is_right_in_bfloat16():
    rng = np.random.default_rng(0)
    upstream = tf.cast(rng.standard_normal((2, 40, 40, 40, 4)) + 0.01, tf.bfloat16)
    exact = tf.reduce_sum(tf.cast(upstream, tf.float64), (0, 1, 2, 3))
    bias = tf.zeros(4, tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(bias)
        result = add_bias(tf.zeros_like(upstream), bias)
    found = tf.cast(tape.gradient(result, bias, upstream), tf.float64)
    np.testing.assert_allclose(found, exact, rtol=2**-8)
