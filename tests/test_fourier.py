"""The matrix transform against the fast one."""

import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.conjugate_gradient import batch_dot
from spinet_tf.dipole_kernel import half_spectrum_weights
from spinet_tf.fourier import FFT, MatrixDFT, matrix_size_of
from tests.grids import GRIDS

SIZES = [size for size, *_ in GRIDS.values()]


def volume_of(size, seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.standard_normal((2, 3, *size)))


def parts(spectrum):
    """A complex spectrum in the layout of `MatrixDFT`."""
    stacked = tf.stack([tf.math.real(spectrum), tf.math.imag(spectrum)], axis=2)
    return tf.reshape(stacked, (2, 6, *spectrum.shape[2:]))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("size", SIZES)
def test_the_fft_is_that_of_tensorflow(size, dtype, known):
    """Also where the size is known when a graph runs, and not before."""
    shape = (2, 3, *size) if known else (None,) * 5

    @tf.function(input_signature=[tf.TensorSpec(shape, dtype)])
    def there_and_back(volume):
        dft = FFT(size if known else tf.shape(volume)[2:])
        spectrum = dft.forward(volume)
        return spectrum, dft.inverse(spectrum)

    volume = tf.cast(volume_of(size), dtype)
    spectrum, back = there_and_back(volume)
    np.testing.assert_array_equal(spectrum, tf.signal.rfft3d(volume))
    np.testing.assert_array_equal(back, tf.signal.irfft3d(spectrum, size))


@pytest.mark.parametrize("size", SIZES)
def test_spectra_are_those_of_the_fft(size):
    volume = volume_of(size)
    expected = parts(tf.signal.rfft3d(volume))
    np.testing.assert_allclose(MatrixDFT(size).forward(volume), expected, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_inverse_is_that_of_the_fft_for_any_spectrum(size):
    """Also for one that no real volume has, as rounding makes them."""
    rng = np.random.default_rng(0)
    shape = (2, 3, *size[:2], size[2] // 2 + 1)
    spectrum = tf.complex(*(tf.constant(rng.standard_normal(shape)) for _ in range(2)))
    dft = MatrixDFT(size)
    expected = tf.signal.irfft3d(spectrum, size)
    np.testing.assert_allclose(dft.inverse(parts(spectrum)), expected, atol=1e-12)
    volume = volume_of(size)
    np.testing.assert_allclose(dft.inverse(dft.forward(volume)), volume, atol=1e-12)


@pytest.mark.parametrize("transform", [FFT, MatrixDFT])
@pytest.mark.parametrize("size", SIZES)
def test_inverse_is_the_adjoint(transform, size):
    """<F v, s> = N <v, F^-1 s>, with the inner product that the solver uses."""
    dft = transform(size)
    v, w = (volume_of(size, seed) for seed in (1, 2))
    spectrum = dft.forward(w)
    counts = half_spectrum_weights(size, v.dtype)[tf.newaxis, tf.newaxis, tf.newaxis]
    in_kspace = batch_dot(dft.diagonal(counts) * dft.forward(v), spectrum)
    in_space = batch_dot(v, dft.inverse(spectrum))
    np.testing.assert_allclose(in_kspace, np.prod(size) * in_space, rtol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_diagonal_filters_each_sample_by_its_own(size):
    rng = np.random.default_rng(0)
    half = tf.constant(rng.standard_normal((2, *size[:2], size[2] // 2 + 1)))
    volume = volume_of(size)
    fast, matrix = (
        dft.inverse(dft.diagonal(half) * dft.forward(volume))
        for dft in (FFT(size), MatrixDFT(size))
    )
    np.testing.assert_allclose(matrix, fast, atol=1e-12)


def test_float32_keeps_its_digits_on_a_large_axis():
    size = (8, 8, 320)
    volume = tf.cast(volume_of(size), tf.float32)
    exact = parts(tf.signal.rfft3d(tf.cast(volume, tf.float64)))
    error = np.abs(MatrixDFT(size).forward(volume).numpy() - exact).max()
    assert error < 1e-5 * np.abs(exact).max()


def test_matrices_need_a_size_known_before_running():
    @tf.function(input_signature=[tf.TensorSpec((1, None, 4, 4, 1))])
    def transform(volume):
        return MatrixDFT(matrix_size_of(volume))

    with pytest.raises(ValueError, match="known"):
        transform(tf.zeros((1, 4, 4, 4, 1)))
