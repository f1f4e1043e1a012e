import numpy as np
import scipy.ndimage
import tensorflow as tf

from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.dipole_operator import filter_volume
from spinet_tf.losses import loss_parts, sobel_gradients
from tests.grids import geometry, random_volume


def test_sobel_is_scipys():
    volume = random_volume(np.random.default_rng(0), (6, 5, 7))
    gradients = sobel_gradients(tf.constant(volume)).numpy()
    for axis in range(3):
        expected = scipy.ndimage.sobel(volume[1, ..., 0], axis, mode="constant")
        np.testing.assert_allclose(gradients[1, ..., axis], expected, atol=1e-12)


def test_parts_are_means_over_each_mask():
    rng = np.random.default_rng(0)
    size, voxel_sizes, b0 = geometry("mixed")
    mask = np.zeros((2, *size, 1))
    mask[0, 1:-1, 2:, 1:-1] = 1
    mask[1, 2:-2, 1:-1, :] = 1
    chi, truth = (mask * random_volume(rng, size) for _ in range(2))
    field = mask * random_volume(rng, size)
    kernel = dipole_kernel(size, voxel_sizes, b0)
    parts = loss_parts(*map(tf.constant, (chi, truth, field)), kernel, mask, 0.5)

    def mean(error):
        return (
            np.mean(
                [np.abs(e).sum() / m.sum() for e, m in zip(error, mask, strict=True)]
            )
            / 0.5
        )

    np.testing.assert_allclose(parts.susceptibility, mean(chi - truth))
    predicted = filter_volume(tf.constant(chi), kernel).numpy()
    np.testing.assert_allclose(parts.field, mean(mask * (predicted - field)))
    sobel = sobel_gradients(tf.constant(chi - truth)).numpy()
    np.testing.assert_allclose(parts.gradient, mean(sobel) / 3)


def test_no_error_and_an_empty_mask_cost_nothing():
    size, voxel_sizes, b0 = geometry("odd")
    kernel = dipole_kernel(size, voxel_sizes, b0)
    chi = tf.constant(random_volume(np.random.default_rng(0), size))
    field = filter_volume(chi, kernel)
    ones = np.ones((2, *size, 1))
    assert max(float(x) for x in loss_parts(chi, chi, field, kernel, ones, 1)) < 1e-12
    zero = 0 * chi
    for part in loss_parts(zero, zero, zero, kernel, 0 * ones, 1):
        assert float(part) == 0


def test_samples_of_a_batch_weigh_the_same_whatever_their_masks():
    size, voxel_sizes, b0 = geometry("mixed")
    mask = np.zeros((2, *size, 1))
    mask[0, 1:-1, 1:-1, 1:-1] = 1
    mask[1, 3:5, 2:4, 2:4] = 1
    chi = mask * random_volume(np.random.default_rng(0), size)
    kernel = dipole_kernel(size, voxel_sizes, b0)
    nothing = np.zeros_like(chi)
    both = loss_parts(*map(tf.constant, (chi, nothing, nothing)), kernel, mask, 1)
    each = [
        loss_parts(
            *(tf.constant(x[i : i + 1]) for x in (chi, nothing, nothing)),
            *(kernel[i : i + 1], mask[i : i + 1], 1),
        )
        for i in range(2)
    ]
    np.testing.assert_allclose(both, np.mean(each, axis=0))
