"""The unit dipole in k-space, for any grid and any B0 direction.

    D(k) = 1/3 - (k.b)^2 / |k|^2,        k in cycles/mm, b the unit B0 direction

Conventions, stated here once for the whole package: the DFT is unshifted with the
zero frequency at index 0 and its inverse scaled by 1/N. Local field and susceptibility
are in ppm, voxel sizes in mm, and B0 directions are unit vectors in voxel axes.
Spectra are half spectra, as a real DFT gives them: all of x and y, and z up to and
including its Nyquist frequency.

At the Nyquist frequency of an even axis the sign of k is arbitrary. D is the mean over
both signs, so that D(k) = D(-k) holds everywhere and a real susceptibility has a
real field.
"""

import numpy as np
import tensorflow as tf


def _frequencies(size, voxel_size, half):
    """Frequencies of one axis [cycles/mm], twice: Nyquist taken as -1/2 and as +1/2.

    Args:
        size: int32 scalar tensor, number of voxels.
        voxel_size: float `(batch,)`, voxel size along the axis [mm].
        half: whether the axis holds its non-negative half only.

    Returns:
        Two floats `(batch, frequencies)`.
    """
    index = tf.range(size // 2 + 1 if half else size)
    negative = tf.where(index < (size + 1) // 2, index, index - size)
    positive = tf.where(index <= size // 2, index, index - size)
    extent = tf.cast(size, voxel_size.dtype) * voxel_size
    return tuple(
        tf.cast(k, voxel_size.dtype)[tf.newaxis] / extent[:, tf.newaxis]
        for k in (negative, positive)
    )


def dipole_kernel(matrix_size, voxel_size, b0_direction, dc_value=0.0):
    """Half spectrum of the unit dipole.

    Args:
        matrix_size: int32 `(3,)`, or three integers: voxels along x, y, z, the same
            for the whole batch.
        voxel_size: float `(batch, 3)` [mm].
        b0_direction: float `(batch, 3)`, B0 in voxel axes, of any length; zero makes
            D NaN but for D(0).
        dc_value: float, D(0), which the formula leaves undefined. Defaults to 0.

    Returns:
        D, `(batch, x, y, z // 2 + 1)`, in [-2/3, 1/3] but for `dc_value`; in the dtype
        of `voxel_size`, or float32 for integers.

    Reference:
        Salomir et al., Concepts Magn Reson B 2003, doi 10.1002/cmr.b.10083.
    """
    voxel_size = tf.convert_to_tensor(voxel_size)
    if voxel_size.dtype.is_integer:
        voxel_size = tf.cast(voxel_size, tf.float32)
    matrix_size = tf.convert_to_tensor(matrix_size, tf.int32)
    if not tf.is_tensor(b0_direction):  # a list would become float32
        b0_direction = np.asarray(b0_direction)
    b = tf.cast(b0_direction, voxel_size.dtype)
    b = b / tf.reduce_max(tf.abs(b), axis=-1, keepdims=True)  # whose square is finite
    b = b / tf.norm(b, axis=-1, keepdims=True)

    axes = [
        _frequencies(matrix_size[i], voxel_size[:, i], half=i == 2) for i in range(3)
    ]

    def add_over_axes(x, y, z):
        return x[:, :, None, None] + y[:, None, :, None] + z[:, None, None, :]

    def parallel(sign):
        return add_over_axes(*(b[:, i, None] * axes[i][sign] for i in range(3)))

    squared = add_over_axes(*(tf.square(k) for k, _ in axes))
    along_b0 = (tf.square(parallel(0)) + tf.square(parallel(1))) / 2
    kernel = 1 / 3 - tf.math.divide_no_nan(along_b0, squared)
    return tf.where(squared > 0, kernel, tf.constant(dc_value, kernel.dtype))


def half_spectrum_weights(matrix_size, dtype):
    """How many times each half-spectrum entry along z stands in the full spectrum.

    Args:
        matrix_size: int32 `(3,)`: voxels along x, y, z.
        dtype: of the result.

    Returns:
        `(z // 2 + 1,)`: 1 for the zero and Nyquist frequencies, 2 for the others.
    """
    size = tf.convert_to_tensor(matrix_size, tf.int32)[2]
    index = tf.range(size // 2 + 1)
    single = (index == 0) | (2 * index == size)
    return tf.where(single, tf.ones((), dtype), tf.constant(2, dtype))
