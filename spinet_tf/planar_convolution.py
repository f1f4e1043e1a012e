"""3-D convolutions as sums of 2-D ones, for runtimes that are fast at those only."""

import keras
import tensorflow as tf


def planar_convolution(volume, kernel):
    """3-D convolution of one volume with zeros around it, as sums of 2-D ones.

    The planes of a volume are convolved as a batch of images, with each plane of the
    kernel by itself, and added where they belong.

    Args:
        volume: float `(x, y, z, channel)`.
        kernel: float `(size, size, size, channel, filters)`, of odd size.

    Returns:
        float `(x, y, z, filters)`.
    """
    reach = kernel.shape[0] // 2
    size = volume.shape[0]
    padded = tf.pad(volume, ((reach, reach), (0, 0), (0, 0), (0, 0)))
    result = tf.nn.conv2d(volume, kernel[reach], strides=1, padding="SAME")
    for i in range(2 * reach + 1):
        if i != reach:
            plane = padded[i : i + size]
            result += tf.nn.conv2d(plane, kernel[i], strides=1, padding="SAME")
    return result


class PlanarDenoiser(keras.layers.Layer):
    """A trained denoiser by `planar_convolution`, for inference on one volume.

    Args:
        denoiser: `Denoiser`, built; its convolutions are changed for good.

    Call arguments:
        inputs: float `(1, x, y, z, channels)`, normalised, of a size that is known.

    Returns:
        Like `inputs`.
    """

    def __init__(self, denoiser, **kwargs):
        super().__init__(**kwargs)
        self.denoiser = denoiser
        for layer in denoiser.convolutions:
            layer.convolution_op = planar_convolution
            layer.input_spec = None  # it asks for the batch axis, which is gone
        self.built = True

    def call(self, inputs, training=False):
        return self.denoiser(inputs[0], training=training)[tf.newaxis]
