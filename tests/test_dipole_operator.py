import keras
import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.dipole_operator import DipoleOperator, filter_volume
from tests.grids import GRIDS, geometry, random_volume


def sample_dot(a, b):
    assert a.shape == b.shape
    return np.sum(np.asarray(a) * np.asarray(b), axis=(1, 2, 3, 4))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("grid", GRIDS)
def test_adjoint_and_normal(grid, channels, rng):
    size, voxel_sizes, b0 = geometry(grid)
    dipole = DipoleOperator(dc_value=1 / 3, dtype="float64")
    kernel = dipole.kernel(size, voxel_sizes, b0)
    chi, y = (random_volume(rng, size, channels) for _ in range(2))
    forward = dipole(chi, kernel).numpy()
    np.testing.assert_allclose(
        sample_dot(forward, y), sample_dot(chi, dipole.adjoint(y, kernel)), rtol=1e-12
    )
    np.testing.assert_allclose(
        dipole.normal(chi, kernel), dipole.adjoint(forward, kernel), atol=1e-13
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_result_has_the_dtype_of_the_volume(dtype, rng):
    chi = rng.standard_normal((1, 6, 5, 4, 1))
    dipole = DipoleOperator()
    size, b0 = chi.shape[1:4], np.array([[0.0, 0.6, 0.8]])
    expected = dipole(chi, dipole.kernel(size, np.ones((1, 3)), b0))
    for kernel_dtype in ("float32", "float64"):
        kernel = dipole.kernel(size, np.ones((1, 3), kernel_dtype), b0)
        field = dipole(chi.astype(dtype), kernel)
        assert field.dtype == dtype
        np.testing.assert_allclose(field, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "int32"])
def test_a_volume_that_has_no_transform(dtype):
    told = f"^volume: expected float32 or float64, got {dtype}$"
    with pytest.raises(ValueError, match=told):
        filter_volume(np.ones((1, 4, 4, 4, 1), dtype), np.ones((1, 4, 4, 3)))


def test_forward_is_the_full_complex_transform(rng):
    size, voxel_sizes, b0 = geometry("even")
    dipole = DipoleOperator(dtype="float64")
    kernel = dipole.kernel(size, voxel_sizes, b0)
    chi = random_volume(rng, size, channels=2)
    half = kernel.numpy()
    negative_z = np.arange(size[2] // 2 - 1, 0, -1)
    negative = half[..., negative_z]
    negative = np.roll(np.flip(negative, axis=(1, 2)), (1, 1), axis=(1, 2))
    full = np.concatenate([half, negative], axis=-1)
    complex_chi = chi[..., 0] + 1j * chi[..., 1]
    axes = (1, 2, 3)
    expected = np.fft.ifftn(full * np.fft.fftn(complex_chi, axes=axes), axes=axes)
    field = dipole(chi, kernel).numpy()
    np.testing.assert_allclose(field[..., 0] + 1j * field[..., 1], expected, atol=1e-13)


def test_gradient_is_the_adjoint(rng):
    size, voxel_sizes, b0 = geometry("mixed")
    dipole = DipoleOperator(dtype="float64")
    kernel = dipole.kernel(size, voxel_sizes, b0)
    chi, upstream = (tf.constant(random_volume(rng, size)) for _ in range(2))
    with tf.GradientTape() as tape:
        tape.watch(chi)
        field = dipole(chi, kernel)
    gradient = tape.gradient(field, chi, output_gradients=upstream)
    np.testing.assert_allclose(gradient, dipole.adjoint(upstream, kernel), atol=1e-14)


def test_different_geometries_in_a_batch_equal_one_by_one(rng):
    size, voxel_sizes, b0 = geometry("odd", np.float32)
    dipole = DipoleOperator()
    chi = random_volume(rng, size, dtype=np.float32)
    together = dipole(chi, dipole.kernel(size, voxel_sizes, b0)).numpy()
    for i in range(2):
        one = slice(i, i + 1)
        alone = dipole(chi[one], dipole.kernel(size, voxel_sizes[one], b0[one]))
        np.testing.assert_allclose(together[one], alone, atol=1e-6)


@pytest.mark.parametrize("b0", [(0.0, 0.0, 1.0), (0.0, 0.6, 0.8), (0.36, -0.48, 0.8)])
def test_field_of_a_sphere(b0):
    """Inside 0, outside chi/3 (a/r)^3 (3 cos^2 - 1), with anisotropic voxels."""
    size, voxel_size, radius, chi = (96, 80, 72), (1.0, 1.2, 1.4), 9.0, 1.0
    axes = [(np.arange(n) - n // 2) * d for n, d in zip(size, voxel_size, strict=True)]
    position = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    r = np.linalg.norm(position, axis=-1)
    # The share of each voxel inside the sphere, to the first order.
    inside = np.clip((radius - r) / 1.2 + 0.5, 0, 1)
    sphere = (chi * inside)[np.newaxis, ..., np.newaxis].astype(np.float32)

    dipole = DipoleOperator()
    kernel = dipole.kernel(size, tf.constant([voxel_size]), [b0])
    field = dipole(sphere, kernel).numpy()[0, ..., 0]

    cosine = position @ np.array(b0) / np.maximum(r, 1e-9)
    outside = chi / 3 * (radius / np.maximum(r, radius)) ** 3 * (3 * cosine**2 - 1)
    core, near = r < radius - 2.5, (r > radius + 2.5) & (r < 2.5 * radius)
    # 0.02: the images of the periodic grid; 0.05: the steps of the surface.
    assert np.abs(field[core]).max() < 0.05
    assert np.abs(field[core].mean()) < 0.01
    difference = field[near] - outside[near]
    assert np.sqrt(np.mean(difference**2)) < 0.01
    assert np.abs(difference).max() < 0.05
    assert outside[near].max() > 0.25


def test_config_and_shape():
    dipole = DipoleOperator(dc_value=0.25)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(dipole)
    )
    assert copy.get_config() == dipole.get_config()
    symbolic = keras.Input((6, 4, 8, 1))
    kernel = keras.Input((6, 4, 5))
    assert dipole(symbolic, kernel).shape == (None, 6, 4, 8, 1)
