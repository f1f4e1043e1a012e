"""The noise of a local field, read from where susceptibility hardly shows.

Close to the cone where D(k) = 0 the field holds next to nothing of the susceptibility;
what is there at high frequencies is noise.
"""

import math

import tensorflow as tf

from spinet_tf.dipole_kernel import half_spectrum_weights
from spinet_tf.dipole_operator import filter_volume
from spinet_tf.fourier import FFT, matrix_size_of
from spinet_tf.frequencies import squared_frequencies

LARGEST_D = 0.05
LOWEST_FREQUENCY = 0.3  # cycles a voxel
EDGE = 2.0  # voxels, of the Gaussian that keeps the mask's edge out of it


def noise_level(local_field, mask, kernel, transform=FFT):
    """Standard deviation of a field's white noise inside the mask.

    Args:
        local_field: float `(batch, x, y, z, 1)` [ppm].
        mask: like `local_field`, 0 or 1.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.
        transform: class of `spinet_tf.fourier`. Defaults to `FFT`.

    Returns:
        float `(batch,)` [ppm]; 0 where the mask is too thin to tell.
    """
    matrix_size = matrix_size_of(local_field)
    dtype = local_field.dtype
    squared = squared_frequencies(matrix_size, kernel)
    blur = tf.exp(-2 * (math.pi * EDGE) ** 2 * squared)[tf.newaxis]
    inside = filter_volume(mask, blur, transform)
    window = mask * tf.square(tf.nn.relu(2 * inside - 1))
    chosen = (tf.abs(kernel) < LARGEST_D) & (squared >= LOWEST_FREQUENCY**2)
    chosen = tf.cast(chosen, dtype)
    share = tf.reduce_sum(
        chosen * half_spectrum_weights(matrix_size, dtype), axis=(1, 2, 3)
    ) / tf.cast(tf.reduce_prod(matrix_size), dtype)
    noise = filter_volume(window * local_field, chosen, transform)
    volume = (1, 2, 3, 4)
    variance = tf.math.divide_no_nan(
        tf.reduce_sum(tf.square(noise), volume),
        share * tf.reduce_sum(tf.square(window), volume),
    )
    return tf.sqrt(variance)
