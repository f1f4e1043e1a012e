"""The CNN's convolutions alone: the arithmetic that nothing can do without."""

import numpy as np
import tensorflow as tf


def random_kernel(shape, dtype):
    """A kernel that keeps the variance, so that nothing overflows or vanishes."""
    deviation = np.prod(shape[:-1]) ** -0.5
    return tf.Variable(tf.cast(tf.random.normal(shape, stddev=deviation), dtype))


def convolution_chain(model):
    """Callable that applies random kernels of the model's shapes, and these kernels."""
    kernels = [
        random_kernel(layer.kernel.shape, model.compute_dtype)
        for layer in model.denoiser.convolutions
    ]

    def apply(x):
        for kernel in kernels:
            x = tf.nn.conv3d(x, kernel, strides=(1, 1, 1, 1, 1), padding="SAME")
        return x

    return apply, kernels


def random_volume(model, matrix_size, batch_size=1):
    """What the chain is applied to."""
    volume = tf.random.normal((batch_size, *matrix_size, model.channels))
    return tf.cast(volume, model.compute_dtype)
