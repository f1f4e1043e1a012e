"""A local field that is known in a mask only, filled in around it."""

from typing import NamedTuple

import tensorflow as tf

from spinet_tf.dipole_operator import filter_volume, spectrum_of
from spinet_tf.fourier import FFT, matrix_size_of


class FilledField(NamedTuple):
    """A field that is known in a mask, with that of an estimate around it.

    Attributes:
        volume: float `(batch, x, y, z, channel)` [ppm].
        spectrum: of the volume; gets no gradient.
        residual: spectrum of mask (y - Phi mask x); gets no gradient.
    """

    volume: tf.Tensor
    spectrum: tf.Tensor
    residual: tf.Tensor


def fill_field(local_field, mask, estimate, kernel, transform=FFT):
    """The field in the mask, and outside it that of an estimate x.

    Args:
        local_field: float `(batch, x, y, z, channel)` [ppm], zero outside the mask.
        mask: float `(batch, x, y, z, 1)`, 0 or 1.
        estimate: like `local_field`, x [ppm].
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.
        transform: class of `spinet_tf.fourier`. Defaults to `FFT`.

    Returns:
        A `FilledField`.
    """
    masked = mask * estimate
    of_masked = spectrum_of(masked, transform)
    predicted = filter_volume(masked, kernel, transform, of_masked)
    filled = local_field + (1 - mask) * predicted
    spectrum = spectrum_of(filled, transform)
    dipole = transform(matrix_size_of(mask)).diagonal(kernel)
    return FilledField(filled, spectrum, spectrum - dipole * of_masked)
