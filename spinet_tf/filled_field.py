"""A local field that is known in some voxels only, filled in everywhere else."""

from typing import NamedTuple

import tensorflow as tf

from spinet_tf.dipole_operator import filter_volume, spectrum_of
from spinet_tf.fourier import FFT, matrix_size_of


class PredictedField(NamedTuple):
    """The field of a susceptibility whose sources are in a mask.

    Attributes:
        volume: float `(batch, x, y, z, channel)` [ppm].
        spectrum: of the volume; gets no gradient.
    """

    volume: tf.Tensor
    spectrum: tf.Tensor


class FilledField(NamedTuple):
    """A field where it is believed, and a predicted one where it is not.

    Attributes:
        volume: float `(batch, x, y, z, channel)` [ppm].
        spectrum: of the volume; gets no gradient.
        residual: spectrum of what differs from the prediction; gets no gradient.
    """

    volume: tf.Tensor
    spectrum: tf.Tensor
    residual: tf.Tensor


def predict_field(susceptibility, mask, kernel, transform=FFT):
    """Phi mask x.

    Args:
        susceptibility: float `(batch, x, y, z, channel)` [ppm], x.
        mask: float `(batch, x, y, z, 1)`, 0 or 1.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.
        transform: class of `spinet_tf.fourier`. Defaults to `FFT`.

    Returns:
        A `PredictedField`.
    """
    sources = mask * susceptibility
    spectrum = spectrum_of(sources, transform)
    dipole = transform(matrix_size_of(mask)).diagonal(kernel)
    field = filter_volume(sources, kernel, transform, spectrum)
    return PredictedField(field, dipole * spectrum)


def fill_field(local_field, trust, predicted, transform):
    """A field where it is trusted, the predicted one where it is not, or a mixture.

    Args:
        local_field: float `(batch, x, y, z, channel)` [ppm].
        trust: float `(batch, x, y, z, 1)`, 0 to 1.
        predicted: `PredictedField`.
        transform: class of `spinet_tf.fourier`.

    Returns:
        A `FilledField`.
    """
    filled = trust * local_field + (1 - trust) * predicted.volume
    spectrum = spectrum_of(filled, transform)
    return FilledField(filled, spectrum, spectrum - predicted.spectrum)
