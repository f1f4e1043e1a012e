"""How wrong a local field is, read from where susceptibility does not show.

On the cone where D(k) = 0 a field holds nothing of the susceptibility, and what is
there is error. In scans it is white noise, and at lower frequencies something that
grows as they fall, about as 1/|k|^3 in power: what the dipole model does not explain
and what background removal has left. Where more is left, or phases were combined badly,
the field has smooth errors too, which grow faster still and are of the lowest
frequencies only.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from spinet_tf.dipole_kernel import half_spectrum_weights
from spinet_tf.fourier import matrix_size_of

LARGEST_D = 0.08
# In cycles a voxel; none is one of a grid's frequencies, which rounding could move.
LOWEST = (0.0199, 0.0401)
MIDDLE = (0.0997, 0.2003)
HIGHEST = (0.3997, 1.0)
# In cycles a voxel, where errors have the power they are told by.
SMOOTH_FREQUENCY = 0.03
MIDDLE_FREQUENCY = 0.15
LOWEST_FREQUENCY = 0.02  # cycles a voxel, under which powers grow no more
REFERENCE_DEVIATION = 0.01  # ppm, of coloured errors for which G is 1


class ErrorPower(NamedTuple):
    """Power of errors, white + coloured (0.15 / |k|)^3 + smooth (0.03 / |k|)^6.

    Attributes:
        white: float `(batch,)` [ppm^2], a voxel.
        coloured: like `white`.
        smooth: like `white`.
    """

    white: tf.Tensor
    coloured: tf.Tensor
    smooth: tf.Tensor


# There always is some error, and where there seems to be more, as with phase wraps left
# in a field, it is not everywhere.
LEAST = ErrorPower(0.0001**2, 0.0005**2, 0.0)
MOST = ErrorPower(0.04**2, 0.03**2, 0.3**2)


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


def _relative_to(frequency, matrix_size, kernel):
    """(|k| / frequency)^2 over a half spectrum, with 0.02^2 added to |k|^2."""
    squared = squared_frequencies(matrix_size, kernel) + LOWEST_FREQUENCY**2
    return squared / frequency**2


def cubed_frequencies(matrix_size, kernel):
    """(|k| / 0.15)^3 over a half spectrum, with 0.02^2 added to |k|^2.

    Args:
        matrix_size: int `(3,)`.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.

    Returns:
        float > 0 `(x, y, z // 2 + 1)`.
    """
    squared = _relative_to(MIDDLE_FREQUENCY, matrix_size, kernel)
    return squared * tf.sqrt(squared)


def smooth_power(matrix_size, kernel):
    """(0.03 / |k|)^6 over a half spectrum, with 0.02^2 added to both squares.

    Args:
        matrix_size: int `(3,)`.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.

    Returns:
        float > 0 `(x, y, z // 2 + 1)`.
    """
    at = math.hypot(SMOOTH_FREQUENCY, LOWEST_FREQUENCY)
    ratio = 1 / _relative_to(at, matrix_size, kernel)
    return ratio * tf.square(ratio)


def error_power(residual, window, kernel):
    """The errors of fields, from what an estimate leaves unexplained of them.

    Args:
        residual: spectrum of window (y - Phi chi), see `spinet_tf.fourier`; powers of
            channels are added. The better the estimate chi, the less of the
            susceptibility the window's edge carries onto the cone.
        window: float `(batch, x, y, z, 1)`, 0 to 1: a mask, or what is believed of it.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.

    Returns:
        `ErrorPower`, from `LEAST` to `MOST`; it gets no gradient.
    """
    residual = tf.stop_gradient(residual)
    matrix_size = matrix_size_of(window)
    power = tf.reduce_sum(tf.math.real(residual * tf.math.conj(residual)), axis=1)
    voxels = tf.maximum(tf.reduce_sum(tf.square(window), axis=(1, 2, 3, 4)), 1)
    on_cone = tf.cast(tf.abs(kernel) < LARGEST_D, window.dtype)
    on_cone *= half_spectrum_weights(matrix_size, window.dtype)
    squared = squared_frequencies(matrix_size, kernel)
    coloured = 1 / cubed_frequencies(matrix_size, kernel)

    def means(band, *spectra):
        low, high = band
        chosen = (squared >= low**2) & (squared < high**2)
        weights = on_cone * tf.cast(chosen, window.dtype)
        total = tf.reduce_sum(weights, axis=(1, 2, 3))
        return [
            tf.math.divide_no_nan(tf.reduce_sum(weights * x, axis=(1, 2, 3)), total)
            for x in spectra
        ]

    middle, of_middle = means(MIDDLE, power, coloured)
    highest, of_highest = means(HIGHEST, power, coloured)
    # Small volumes may have nothing in a band.
    excess = tf.maximum(of_middle - of_highest, 0)
    strength = tf.math.divide_no_nan(tf.maximum(middle - highest, 0), excess)
    white = highest - strength * of_highest
    lowest, of_lowest, of_smooth = means(
        LOWEST, power, coloured, smooth_power(matrix_size, kernel)
    )
    # A field has few of the lowest frequencies, and chance may double their power.
    rest = tf.maximum(lowest - white - 2 * strength * of_lowest, 0)
    found = ErrorPower(white, strength, tf.math.divide_no_nan(rest, of_smooth))
    return ErrorPower(
        *map(tf.clip_by_value, (part / voxels for part in found), LEAST, MOST)
    )


def penalty_emphasis(errors, matrix_size, kernel):
    """How much the penalty minds a frequency, for fields with these errors.

    G^2 goes with the power of the field's errors over that of the denoiser's, as in the
    best linear filter, which it is for p = 2. The latter falls about as 1/|k|^3, as
    susceptibility itself does.

    Args:
        errors: `ErrorPower`.
        matrix_size: int `(3,)`.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.

    Returns:
        G, float > 0 `(batch, x, y, z // 2 + 1)`, half spectrum.
    """
    white, coloured, smooth = (power[:, None, None, None] for power in errors)
    cubed = cubed_frequencies(matrix_size, kernel)
    steep = white + smooth * smooth_power(matrix_size, kernel)
    return tf.sqrt(steep * cubed + coloured) / REFERENCE_DEVIATION
