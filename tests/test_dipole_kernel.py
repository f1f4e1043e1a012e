import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.dipole_kernel import dipole_kernel, half_spectrum_weights
from tests.grids import GRIDS, geometry


def full_spectrum(size, voxel_size, b):
    """D by its formula on the whole grid, for both signs of the Nyquist frequency."""

    def formula(nyquist_sign):
        axes = []
        for n, d in zip(size, voxel_size, strict=True):
            k = np.fft.fftfreq(n, d)
            if n % 2 == 0:
                k[n // 2] = nyquist_sign * 0.5 / d
            axes.append(k)
        k = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        squared = np.sum(k**2, axis=-1)
        squared[0, 0, 0] = np.inf
        return 1 / 3 - (k @ b) ** 2 / squared - np.where(np.isinf(squared), 1 / 3, 0)

    return (formula(1) + formula(-1)) / 2


def at_negative_k(full):
    for axis in range(3):
        full = np.roll(np.flip(full, axis), 1, axis)
    return full


@pytest.mark.parametrize("grid", GRIDS)
def test_matches_the_formula_on_every_grid(grid):
    size, voxel_sizes, b0 = geometry(grid)
    kernel = dipole_kernel(size, voxel_sizes, b0).numpy()
    assert kernel.shape == (2, size[0], size[1], size[2] // 2 + 1)
    for sample in range(2):
        expected = full_spectrum(size, voxel_sizes[sample], b0[sample])
        np.testing.assert_allclose(
            kernel[sample], expected[..., : size[2] // 2 + 1], atol=1e-14
        )
        np.testing.assert_allclose(expected, at_negative_k(expected), atol=1e-14)


@pytest.mark.parametrize("grid", GRIDS)
def test_half_spectrum_is_that_of_a_real_filter(grid):
    size, voxel_sizes, b0 = geometry(grid)
    kernel = dipole_kernel(size, voxel_sizes, b0).numpy()
    impulse_response = np.fft.irfftn(kernel[1], size, axes=(0, 1, 2))
    np.testing.assert_allclose(np.fft.fftn(impulse_response).imag, 0, atol=1e-13)
    np.testing.assert_allclose(np.fft.rfftn(impulse_response), kernel[1], atol=1e-13)


def test_range_and_zero_frequency():
    size, voxel_sizes, b0 = geometry("even", np.float32)
    kernel = dipole_kernel(size, voxel_sizes, b0).numpy()
    assert kernel.dtype == np.float32
    assert kernel.min() >= -2 / 3 - 1e-6
    assert kernel.max() <= 1 / 3 + 1e-6
    assert (kernel[:, 0, 0, 0] == 0).all()
    released = dipole_kernel(size, voxel_sizes, b0, dc_value=1 / 3).numpy()
    np.testing.assert_allclose(released[:, 0, 0, 0], 1 / 3)
    released[:, 0, 0, 0] = 0
    np.testing.assert_array_equal(released, kernel)


def test_axial_b0_along_each_axis():
    for axis in range(3):
        b0 = np.eye(3)[[axis]]
        kernel = dipole_kernel((8, 8, 8), np.ones((1, 3)), b0).numpy()[0]
        along = np.zeros(3, int)
        along[axis] = 2
        np.testing.assert_allclose(kernel[tuple(along)], 1 / 3 - 1)
        across = np.zeros(3, int)
        across[(axis + 1) % 3] = 2
        np.testing.assert_allclose(kernel[tuple(across)], 1 / 3)


def test_length_and_sign_of_b0_do_not_matter():
    size, voxel_sizes, b0 = geometry("mixed")
    np.testing.assert_allclose(
        dipole_kernel(size, voxel_sizes, -7 * b0),
        dipole_kernel(size, voxel_sizes, b0),
        atol=1e-14,
    )


@pytest.mark.parametrize("nz", [1, 2, 5, 6])
def test_half_spectrum_weights_count_the_full_spectrum(nz):
    weights = half_spectrum_weights((3, 4, nz), tf.float32).numpy()
    assert weights.sum() == nz
    rng = np.random.default_rng(0)
    volume = rng.standard_normal((3, 4, nz))
    half = np.sum(weights * np.abs(np.fft.rfftn(volume)) ** 2)
    np.testing.assert_allclose(half, volume.size * np.sum(volume**2))


def test_integer_voxel_sizes():
    b = [[0.0, 0.6, 0.8]]
    found = dipole_kernel((6, 5, 4), [[1, 1, 2]], b)
    np.testing.assert_array_equal(found, dipole_kernel((6, 5, 4), [[1.0, 1.0, 2.0]], b))


@pytest.mark.parametrize("length", [1e-30, 1e-15, 1e15, 1e30])
def test_b0_may_be_as_long_as_float32_holds(length):
    b0 = np.array([[0.0, 0.6, 0.8]])
    expected = dipole_kernel((5, 6, 7), [[1.0, 1, 2]], b0)
    found = dipole_kernel((5, 6, 7), [[1.0, 1, 2]], length * b0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_no_b0_gives_no_kernel():
    b0 = [[0.0, 0, 1], [0.0, 0, 0]]
    kernel = dipole_kernel((5, 6, 7), [[1.0, 1, 2]] * 2, b0).numpy()
    assert np.isfinite(kernel[0]).all()
    assert np.isnan(kernel[1]).sum() == kernel[1].size - 1  # all but D(0)


def test_b0_may_be_a_variable():
    b0 = tf.Variable([[0.0, 0.6, 0.8]])
    with tf.GradientTape() as tape:
        kernel = dipole_kernel((5, 6, 7), [[1.0, 1, 2]], b0)
    assert np.abs(tape.gradient(kernel, b0)).max() > 0


def test_float64_kernels_hold_no_float32_numbers():
    voxel_size, b0 = np.ones((1, 3)), [[0.1, 0.2, 0.7]]
    kernel = dipole_kernel((6, 5, 8), voxel_size, b0, 1 / 3).numpy()
    assert kernel[0, 0, 0, 0] == 1 / 3
    of_an_array = dipole_kernel((6, 5, 8), voxel_size, np.array(b0), 1 / 3)
    np.testing.assert_allclose(kernel, of_an_array, rtol=0, atol=1e-15)
