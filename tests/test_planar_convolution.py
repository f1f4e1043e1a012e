import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.denoiser import Denoiser
from spinet_tf.planar_convolution import PlanarDenoiser, planar_convolution


@pytest.mark.parametrize("size", [1, 3, 5])
def test_equals_a_3d_convolution(size):
    rng = np.random.default_rng(0)
    volume = tf.constant(rng.standard_normal((4, 7, 6, 2)))
    kernel = tf.constant(rng.standard_normal((size, size, size, 2, 3)))
    expected = tf.nn.conv3d(volume[tf.newaxis], kernel, [1] * 5, "SAME")[0]
    np.testing.assert_allclose(
        planar_convolution(volume, kernel), expected, rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("channels", [1, 2])
def test_denoiser_computes_the_same(channels):
    denoiser = Denoiser(channels, filters=4, blocks=2, batch_norm=False)
    denoiser.build()
    rng = np.random.default_rng(0)
    for convolution in denoiser.convolutions:
        convolution.bias.assign(rng.standard_normal(convolution.bias.shape))
    volume = rng.standard_normal((1, 6, 5, 7, channels)).astype(np.float32)
    expected = denoiser(volume).numpy()
    planar = PlanarDenoiser(denoiser)(volume)
    np.testing.assert_allclose(planar, expected, atol=1e-5 * np.abs(expected).max())
    assert expected.std() > 0
