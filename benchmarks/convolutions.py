"""The CNN's convolutions alone: the arithmetic that nothing can do without."""

import numpy as np
import tensorflow as tf


def kernel_shapes(denoiser):
    """Shapes of the convolution kernels in the order they are applied."""
    layers = [denoiser.entry]
    for block in denoiser.residual_blocks:
        layers += [block.conv_1, block.conv_2]
    layers += [denoiser.head_1, denoiser.head_2, denoiser.exit]
    return [tuple(layer.kernel.shape) for layer in layers]


def random_kernel(shape, dtype):
    """A kernel that keeps the variance, so that nothing overflows or vanishes."""
    deviation = np.prod(shape[:-1]) ** -0.5
    return tf.Variable(tf.cast(tf.random.normal(shape, stddev=deviation), dtype))


def convolution_chain(model):
    """Callable that applies random kernels of the model's shapes, and these kernels."""
    shapes = kernel_shapes(model.denoiser)
    kernels = [random_kernel(shape, model.compute_dtype) for shape in shapes]

    def apply(x):
        for kernel in kernels:
            x = tf.nn.conv3d(x, kernel, strides=(1, 1, 1, 1, 1), padding="SAME")
        return x

    return apply, kernels


def random_volume(model, matrix_size, batch_size=1):
    """What the chain is applied to."""
    volume = tf.random.normal((batch_size, *matrix_size, model.channels))
    return tf.cast(volume, model.compute_dtype)
