"""Frequencies of a grid's half spectrum, in cycles a voxel."""

import tensorflow as tf


def squared_frequencies(matrix_size, kernel):
    """|k|^2 over a half spectrum.

    Args:
        matrix_size: int `(3,)`.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.

    Returns:
        float `(x, y, z // 2 + 1)` [cycles a voxel, squared].
    """
    # What depends on no input is stored in a TFLite file, 8 MB for 160^3. This is 1.
    one = 1 - tf.minimum(tf.reduce_sum(tf.abs(kernel[:1, 0, 0, 0])), 0)

    def axis(size, half):
        index = tf.range(size // 2 + 1 if half else size)
        index = tf.minimum(index, size - index)
        frequency = tf.cast(index, kernel.dtype) / tf.cast(size, kernel.dtype)
        return tf.square(one * frequency)

    x, y, z = (axis(matrix_size[i], half=i == 2) for i in range(3))
    return x[:, tf.newaxis, tf.newaxis] + y[:, tf.newaxis] + z
