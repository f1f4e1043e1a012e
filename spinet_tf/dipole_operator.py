"""The dipole operator Phi = F^-1 D F: susceptibility in, local field out."""

import keras
import numpy as np
import tensorflow as tf

from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.fourier import COMPLEX, FFT, matrix_size_of
from spinet_tf.scan_geometry import normalise_b0_direction


def to_channels_first(volume):
    """`(batch, x, y, z, channel)` to `(batch, channel, x, y, z)`, for the DFT."""
    return tf.transpose(volume, (0, 4, 1, 2, 3))


def to_channels_last(volume):
    """`(batch, channel, x, y, z)` to `(batch, x, y, z, channel)`."""
    return tf.transpose(volume, (0, 2, 3, 4, 1))


def spectrum_of(volume, transform=FFT):
    """The spectrum of each channel; it gets no gradient.

    Args:
        volume: float `(batch, x, y, z, channel)`.
        transform: class of `spinet_tf.fourier`. Defaults to `FFT`.

    Returns:
        What `transform` makes of it.
    """
    dft = transform(matrix_size_of(volume))
    return dft.forward(to_channels_first(tf.stop_gradient(volume)))


def filter_volume(volume, spectrum, transform=FFT, transformed=None):
    """Multiply the spectrum of each channel, F^-1 S F.

    With S real and S(k) = S(-k) the operation is its own adjoint, which gives the
    gradient without one of an FFT. S itself is geometry and gets no gradient.

    Args:
        volume: float `(batch, x, y, z, channel)`.
        spectrum: float `(batch, x, y, z // 2 + 1)`, half spectrum of S, in whatever
            dtype.
        transform: class of `spinet_tf.fourier`. Defaults to `FFT`.
        transformed: `spectrum_of` the volume. Defaults to None: it is computed.

    Returns:
        The filtered volume, like `volume`.

    Raises:
        ValueError: a volume that is neither float32 nor float64.
    """
    volume = tf.convert_to_tensor(volume)
    if volume.dtype not in COMPLEX:
        kind = volume.dtype.name
        raise ValueError(f"volume: expected float32 or float64, got {kind}")
    spectrum = tf.cast(spectrum, volume.dtype)
    if transformed is None:
        transformed = spectrum_of(volume, transform)

    @tf.custom_gradient
    def differentiable(volume):
        dft = transform(matrix_size_of(volume))
        filtered = dft.inverse(dft.diagonal(spectrum) * transformed)
        result = tf.ensure_shape(to_channels_last(filtered), volume.shape)
        return result, lambda upstream: filter_volume(upstream, spectrum, transform)

    return differentiable(volume)


def field_of(susceptibility, voxel_size, b0_direction, dc_value=0.0):
    """The local field of one volume.

    Args:
        susceptibility: real `(x, y, z)` [ppm].
        voxel_size: three floats [mm].
        b0_direction: three floats, in voxel axes.
        dc_value: float, D(0). Defaults to 0.

    Returns:
        float32 array `(x, y, z)` [ppm].
    """
    b0_direction = normalise_b0_direction(b0_direction)  # in float64
    geometry = [np.asarray([v], np.float32) for v in (voxel_size, b0_direction)]
    kernel = dipole_kernel(np.shape(susceptibility), *geometry, dc_value)
    volume = np.asarray(susceptibility, np.float32)[np.newaxis, ..., np.newaxis]
    return filter_volume(volume, kernel).numpy()[0, ..., 0]


@keras.saving.register_keras_serializable(package="spinet_tf")
class DipoleOperator(keras.layers.Layer):
    """Forward, adjoint and normal dipole operator on real volumes.

    A complex volume is two channels, its real and imaginary part: D is real and
    symmetric, so Phi acts on each by itself.

    Args:
        dc_value: float, D(0). Defaults to 0; 1/3 reproduces the published release.

    Attributes:
        transform: class of `spinet_tf.fourier`; not saved with a model.

    Call arguments:
        susceptibility: float `(batch, x, y, z, channel)` [ppm].
        kernel: float `(batch, x, y, z // 2 + 1)`, what `kernel()` returns.

    Returns:
        Local field [ppm], like `susceptibility`.
    """

    transform = FFT

    def __init__(self, dc_value=0.0, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.dc_value = dc_value
        self.built = True

    def kernel(self, matrix_size, voxel_size, b0_direction):
        """D for this geometry; see `spinet_tf.dipole_kernel.dipole_kernel`."""
        return dipole_kernel(matrix_size, voxel_size, b0_direction, self.dc_value)

    def call(self, susceptibility, kernel):
        return filter_volume(susceptibility, kernel, self.transform)

    def adjoint(self, local_field, kernel):
        """Phi^H: local field to (blurred) susceptibility; D is real, so D again."""
        return filter_volume(local_field, kernel, self.transform)

    def normal(self, susceptibility, kernel):
        """Phi^H Phi, with one pair of transforms."""
        return filter_volume(susceptibility, tf.square(kernel), self.transform)

    def get_config(self):
        return {**super().get_config(), "dc_value": self.dc_value}
