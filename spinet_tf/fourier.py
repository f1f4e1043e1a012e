"""The 3-D DFT of real volumes, as fast transforms or as matrix products.

The physics needs four things of a transform: forward, inverse, a real half spectrum
brought to where it multiplies spectra, and spectra that `batch_dot` can take. Both
classes here give these four, so that the physics is written once. Only complex FFTs
are fast and only real matrix products run where there are no complex numbers, as in
TensorFlow Lite. See `spinet_tf.dipole_kernel` for what a half spectrum is.
"""

import functools

import numpy as np
import tensorflow as tf

COMPLEX = {tf.float32: tf.complex64, tf.float64: tf.complex128}


def complex_of(real):
    """A complex tensor with this real part (a cast would warn in gradients)."""
    return tf.complex(real, tf.zeros_like(real))


def matrix_size_of(volume):
    """Voxels along x, y and z, as integers where they are known before running.

    Args:
        volume: `(batch, x, y, z, channel)`.

    Returns:
        A tuple of three integers, or an int32 tensor `(3,)`.
    """
    size = tf.TensorShape(volume.shape)[1:4]
    return tuple(size) if size.is_fully_defined() else tf.shape(volume)[1:4]


class FFT:
    """Fast transforms; spectra are complex, `(batch, channel, x, y, z // 2 + 1)`.

    The functions of `tf.signal` cut and pad volumes to the size, too, for which an
    unroll's graph has 400 operations more.

    Args:
        matrix_size: int32 `(3,)`, or three integers: voxels along x, y, z of the
            volumes, float32 or float64 tensors.
    """

    def __init__(self, matrix_size):
        self.matrix_size = matrix_size

    def forward(self, volume):
        """Spectrum of a real volume `(batch, channel, x, y, z)`."""
        return tf.raw_ops.RFFT3D(
            input=volume,
            fft_length=self.matrix_size,
            Tcomplex=COMPLEX[volume.dtype],
        )

    def inverse(self, spectrum):
        """Real volume `(batch, channel, x, y, z)` of a spectrum."""
        return tf.raw_ops.IRFFT3D(
            input=spectrum,
            fft_length=self.matrix_size,
            Treal=spectrum.dtype.real_dtype,
        )

    def diagonal(self, half_spectrum):
        """What multiplies a spectrum by a real `(batch, x, y, z // 2 + 1)`."""
        return complex_of(half_spectrum)[:, tf.newaxis]


class MatrixDFT:
    """Matrix products with constant sines and cosines; spectra are real.

    A spectrum is `(batch, 2 channel, x, y, z // 2 + 1)`, a real and an imaginary part
    for each channel. Along x and y the two parts are stacked and transformed by one
    real matrix, whose rows and columns are ordered such that nothing is transposed
    between the three products. Their cost grows with the fourth power of the size;
    for volumes of 64^3 it is twice that of a fast transform.

    Args:
        matrix_size: three integers: voxels along x, y, z.

    Raises:
        ValueError: a size that is not known before running.
    """

    def __init__(self, matrix_size):
        if tf.is_tensor(matrix_size):
            raise ValueError("MatrixDFT needs volumes of a size that is known.")
        self.matrix_size = tuple(matrix_size)

    def forward(self, volume):
        """Spectrum of a real volume `(batch, channel, x, y, z)`."""
        nx, ny, nz = self.matrix_size
        half = nz // 2 + 1
        x, y, z = self._constants(volume.dtype, 1)
        spectrum = tf.matmul(tf.reshape(volume, (-1, nz)), z)
        spectrum = tf.matmul(y, tf.reshape(spectrum, (-1, 2 * ny, half)))
        spectrum = tf.matmul(x, tf.reshape(spectrum, (-1, 2 * nx, ny * half)))
        return tf.reshape(spectrum, (-1, 2 * volume.shape[1], nx, ny, half))

    def inverse(self, spectrum):
        """Real volume `(batch, channel, x, y, z)` of a spectrum."""
        nx, ny, nz = self.matrix_size
        half = nz // 2 + 1
        x, y, z = self._constants(spectrum.dtype, -1)
        volume = tf.matmul(x, tf.reshape(spectrum, (-1, 2 * nx, ny * half)))
        volume = tf.matmul(y, tf.reshape(volume, (-1, 2 * ny, half)))
        volume = tf.matmul(tf.reshape(volume, (-1, 2 * half)), z)
        return tf.reshape(volume, (-1, spectrum.shape[1] // 2, nx, ny, nz))

    def diagonal(self, half_spectrum):
        """What multiplies a spectrum by a real `(batch, x, y, z // 2 + 1)`."""
        return half_spectrum[:, tf.newaxis]

    def _constants(self, dtype, direction):
        nx, ny, nz = self.matrix_size
        last = _real_to_half if direction == 1 else _half_to_real
        matrices = (_stacked(nx, direction), _stacked(ny, direction), last(nz))
        return (tf.constant(matrix, dtype) for matrix in matrices)


@functools.cache
def _stacked(size, direction):
    """Complex DFT of columns that hold real and imaginary parts.

    Forward it takes rows ordered (voxel, part) to rows ordered (part, frequency), and
    inverse the other way.
    """
    matrix = (np.fft.fft if direction == 1 else np.fft.ifft)(np.eye(size))
    # part of the result, part of the input, index of the result, index of the input
    blocks = np.array([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]])
    order = (0, 2, 3, 1) if direction == 1 else (2, 0, 1, 3)
    return blocks.transpose(order).reshape(2 * size, 2 * size)


@functools.cache
def _real_to_half(size):
    """Real rows of `size` to half spectra: real parts, then imaginary parts."""
    spectra = np.fft.rfft(np.eye(size))
    return np.concatenate([spectra.real, spectra.imag], axis=1)


@functools.cache
def _half_to_real(size):
    """Half spectra, as `_real_to_half` gives them, to real rows of `size`."""
    parts = np.eye(size // 2 + 1)
    return np.concatenate([np.fft.irfft(parts, size), np.fft.irfft(1j * parts, size)])
