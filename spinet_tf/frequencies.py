"""Frequencies of a grid's half spectrum, in cycles a voxel."""

import tensorflow as tf


def squared_frequencies(matrix_size, dtype):
    """|k|^2 over a half spectrum.

    Args:
        matrix_size: int `(3,)`.
        dtype: float dtype.

    Returns:
        float `(x, y, z // 2 + 1)` [cycles a voxel, squared].
    """

    def axis(size, half):
        index = tf.range(size // 2 + 1 if half else size)
        index = tf.minimum(index, size - index)
        return tf.square(tf.cast(index, dtype) / tf.cast(size, dtype))

    x, y, z = (axis(matrix_size[i], half=i == 2) for i in range(3))
    return x[:, tf.newaxis, tf.newaxis] + y[:, tf.newaxis] + z
