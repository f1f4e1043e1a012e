import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.dipole_operator import filter_volume
from spinet_tf.fourier import MatrixDFT
from spinet_tf.noise_level import noise_level

SIZE = (33, 30, 36)
VOXEL_SIZES = np.array([(1.0, 1.0, 1.0), (0.7, 1.3, 1.6)])
B0_DIRECTIONS = np.array([(0.0, 0.0, 1.0), (0.36, -0.48, 0.8)])


def ball(radius):
    """Masks of a batch of two, an ellipsoid that does not touch the edges."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in SIZE), indexing="ij")
    mask = (sum(x**2 for x in axes) < radius**2).astype(float)
    return np.stack([mask, mask])[..., np.newaxis]


def fields(noise, seed=0):
    """Smooth sources with a few sharp ones, and another noise for each of two."""
    rng = np.random.default_rng(seed)
    mask = ball(0.85)
    kernel = dipole_kernel(SIZE, VOXEL_SIZES, B0_DIRECTIONS)
    axes = np.meshgrid(*(np.linspace(0, 5, n) for n in SIZE), indexing="ij")
    chi = 0.03 * np.sin(axes[0]) * np.cos(axes[1] + axes[2])
    chi[15:18, 14:17, 12:20] += 0.15
    chi = mask * chi[np.newaxis, ..., np.newaxis]
    clean = filter_volume(tf.constant(chi), kernel).numpy()
    spread = np.reshape(noise, (2, 1, 1, 1, 1))
    field = mask * (clean + spread * rng.standard_normal(mask.shape))
    return field, mask, kernel


@pytest.mark.parametrize("noise", [(0.0005, 0.006), (0.002, 0.001)])
def test_finds_the_noise_of_each_field_of_a_batch(noise):
    found = noise_level(*map(tf.constant, fields(noise))).numpy()
    np.testing.assert_allclose(found, noise, rtol=0.25)


def test_sees_little_of_the_susceptibility():
    found = noise_level(*map(tf.constant, fields((0.0, 0.0)))).numpy()
    assert (found < 0.0004).all()
    assert (found > 0).all()


def test_grows_with_the_field_and_ignores_what_is_outside():
    field, mask, kernel = fields((0.001, 0.002))
    found = noise_level(field, mask, kernel).numpy()
    outside = field + 0.1 * (1 - mask)
    np.testing.assert_allclose(noise_level(outside, mask, kernel), found, rtol=1e-12)
    np.testing.assert_allclose(noise_level(3 * field, mask, kernel), 3 * found)


def test_a_mask_without_an_inside_tells_nothing():
    field, mask, kernel = fields((0.001, 0.001))
    mask[:] = 0
    mask[:, 5, 5, 5] = 1
    np.testing.assert_array_equal(noise_level(field, mask, kernel), 0)


def test_matrix_products_give_the_same():
    field, mask, kernel = fields((0.001, 0.002))
    expected = noise_level(field, mask, kernel).numpy()
    found = noise_level(tf.constant(field), tf.constant(mask), kernel, MatrixDFT)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
