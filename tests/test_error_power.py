import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.dipole_operator import filter_volume, spectrum_of
from spinet_tf.error_power import (
    LEAST,
    MOST,
    ErrorPower,
    cubed_frequencies,
    error_power,
    penalty_emphasis,
    smooth_power,
)
from spinet_tf.fourier import FFT, MatrixDFT
from tests.grids import GRIDS, geometry

SIZE = (66, 60, 72)
VOXEL_SIZES = np.array([(1.0, 1.0, 1.0), (0.7, 1.3, 1.6)])
B0_DIRECTIONS = np.array([(0.0, 0.0, 1.0), (0.36, -0.48, 0.8)])


def ball(radius):
    """Masks of a batch of two, an ellipsoid that does not touch the edges."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in SIZE), indexing="ij")
    mask = (sum(x**2 for x in axes) < radius**2).astype(float)
    return np.stack([mask, mask])[..., np.newaxis]


def fields(white, coloured=(0.0, 0.0), seed=0, sources=1.0, smooth=(0.0, 0.0)):
    """Smooth sources with a few sharp ones, and other errors for each of two.

    The errors' deviations are in ppm, that of the coloured ones at 0.15 cycles a voxel,
    that of the smooth ones at 0.03.
    """
    rng = np.random.default_rng(seed)
    mask = ball(0.85)
    kernel = dipole_kernel(SIZE, VOXEL_SIZES, B0_DIRECTIONS)
    axes = np.meshgrid(*(np.linspace(0, 5, n) for n in SIZE), indexing="ij")
    chi = 0.03 * np.sin(axes[0]) * np.cos(axes[1] + axes[2])
    chi[15:18, 14:17, 12:20] += 0.15
    chi = sources * mask * chi[np.newaxis, ..., np.newaxis]
    clean = filter_volume(tf.constant(chi), kernel).numpy()
    of_white, of_coloured, of_smooth = (
        np.reshape(part, (2, 1, 1, 1, 1)) * rng.standard_normal(mask.shape)
        for part in (white, coloured, smooth)
    )
    field = clean + of_white
    for noise, power in (
        (of_coloured, 1 / cubed_frequencies(SIZE, kernel)),
        (of_smooth, smooth_power(SIZE, kernel)),
    ):
        field += filter_volume(tf.constant(noise), power[None] ** 0.5).numpy()
    return mask * field, mask, kernel


def frequencies(size):
    """|k| over a half spectrum, in cycles a voxel."""
    axes = [np.fft.fftfreq(n) for n in size[:2]] + [np.fft.rfftfreq(size[2])]
    return np.sqrt(sum(x**2 for x in np.meshgrid(*axes, indexing="ij")))


def deviations(field, mask, kernel, transform=FFT):
    """Square roots of the `ErrorPower` of fields of which nothing is explained."""
    residual = spectrum_of(tf.constant(mask * field), transform)
    errors = error_power(residual, tf.constant(mask), kernel)
    return tuple(np.sqrt(power) for power in errors)


@pytest.mark.parametrize("white", [(0.0005, 0.006), (0.002, 0.001)])
def test_finds_the_white_noise_of_each_field_of_a_batch(white):
    found, coloured, smooth = deviations(*fields(white, sources=0.0))
    np.testing.assert_allclose(found, white, rtol=0.25)
    least = 1.01 * np.sqrt(LEAST.coloured)
    assert (coloured < np.maximum(0.5 * np.array(white), least)).all()
    assert (smooth < 2 * np.array(white)).all()


def test_what_is_half_believed_counts_for_a_quarter_of_its_power():
    white = (0.0005, 0.006)
    field, mask, kernel = fields(white, sources=0.0)
    np.testing.assert_allclose(
        deviations(field, 0.5 * mask, kernel), deviations(field, mask, kernel)
    )


@pytest.mark.parametrize("coloured", [(0.004, 0.02), (0.01, 0.002)])
def test_finds_the_coloured_noise_of_each_field_of_a_batch(coloured):
    white, found, smooth = deviations(*fields((0.001, 0.001), coloured, sources=0.0))
    np.testing.assert_allclose(found, coloured, rtol=0.25)
    assert (white < 0.004).all()
    assert (smooth < 10 * np.array(coloured)).all()


@pytest.mark.parametrize("smooth", [(0.05, 0.15), (0.2, 0.04)])
def test_finds_the_smooth_errors_of_each_field_of_a_batch(smooth):
    """A mean of several fields, for each has few of the lowest frequencies."""
    found = [
        deviations(*fields((0.001, 0.001), (0.0005, 0.0005), seed, 0.0, smooth))
        for seed in range(8)
    ]
    _, _, mean = np.sqrt(np.mean(np.square(found), axis=0))
    np.testing.assert_allclose(mean, smooth, rtol=0.25)


def test_axes_are_alike():
    """Half of the frequencies are stored, along the last axis only."""
    field, mask, kernel = fields((0.002, 0.004), (0.01, 0.003))
    turned = [np.moveaxis(volume, 3, 1) for volume in (field, mask)]
    size, order = turned[0].shape[1:4], [2, 0, 1]
    geometries = (array[:, order] for array in (VOXEL_SIZES, B0_DIRECTIONS))
    found = deviations(*turned, dipole_kernel(size, *geometries))
    assert size == (72, 66, 60)
    np.testing.assert_allclose(found, deviations(field, mask, kernel), rtol=1e-9)


def test_hardly_sees_a_susceptibility_whose_field_is_whole():
    rng = np.random.default_rng(0)
    chi = tf.constant(0.05 * rng.standard_normal((2, *SIZE, 1)))
    kernel = dipole_kernel(SIZE, VOXEL_SIZES, B0_DIRECTIONS)
    everywhere = np.ones(chi.shape)
    found = deviations(filter_volume(chi, kernel).numpy(), everywhere, kernel)
    assert (np.array(found) < 0.05 * 0.08).all()


def test_grows_with_what_is_unexplained():
    field, mask, kernel = fields((0.001, 0.002), (0.004, 0.008), sources=0.5)
    once, thrice = (deviations(k * field, mask, kernel) for k in (1, 3))
    np.testing.assert_allclose(thrice, 3 * np.array(once))


@pytest.mark.parametrize("scale", [0, 1e6])
def test_there_is_always_some_error_and_never_too_much(scale):
    field, mask, kernel = fields((0.001, 0.001), (0.004, 0.004))
    limits = np.sqrt(LEAST if scale == 0 else MOST)
    for found, limit in zip(
        deviations(scale * field, mask, kernel), limits, strict=True
    ):
        np.testing.assert_allclose(found, limit)


def test_an_empty_mask_tells_of_the_least_error():
    field, mask, kernel = fields((0.001, 0.001))
    for found, least in zip(deviations(field, 0 * mask, kernel), LEAST, strict=True):
        np.testing.assert_allclose(found, np.sqrt(least))


@pytest.mark.parametrize("size", [(3, 2, 4), (1, 1, 1)])
def test_volumes_too_small_to_tell_have_no_coloured_errors(size):
    rng = np.random.default_rng(0)
    kernel = dipole_kernel(size, VOXEL_SIZES[:1], B0_DIRECTIONS[:1])
    ones = np.ones((1, *size, 1))
    white, coloured, smooth = deviations(rng.standard_normal(ones.shape), ones, kernel)
    assert np.isfinite(white).all()
    np.testing.assert_allclose(coloured, np.sqrt(LEAST.coloured))
    np.testing.assert_allclose(smooth, 0)


def test_matrix_products_give_the_same():
    scan = fields((0.001, 0.002), (0.004, 0.001))
    np.testing.assert_allclose(
        deviations(*scan, MatrixDFT), deviations(*scan), rtol=1e-9
    )


@pytest.mark.parametrize("grid", GRIDS)
def test_laws_of_the_errors(grid):
    size, _ = GRIDS[grid]
    squared = frequencies(size) ** 2 + 0.02**2
    kernel = tf.ones((1, *size[:2], size[2] // 2 + 1), tf.float64)
    for found, expected in (
        (cubed_frequencies(size, kernel), (squared / 0.15**2) ** 1.5),
        (smooth_power(size, kernel), ((0.03**2 + 0.02**2) / squared) ** 3),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(("coloured", "smooth"), [(0.0, 0.05), (0.02, 0.0)])
def test_emphasis_is_the_power_of_errors_over_that_of_a_denoiser(coloured, smooth):
    white = np.array([0.001, 0.003])
    others = (np.full(2, deviation**2) for deviation in (coloured, smooth))
    errors = ErrorPower(*map(tf.constant, (white**2, *others)))
    size, voxel_sizes, b0 = geometry("mixed", np.float64)
    kernel = tf.cast(dipole_kernel(size, voxel_sizes, b0), tf.float64)
    squared = penalty_emphasis(errors, size, kernel).numpy() ** 2
    cubed = cubed_frequencies(size, kernel).numpy()
    for sample in range(2):
        steep = white[sample] ** 2 + smooth**2 * smooth_power(size, kernel).numpy()
        expected = (steep * cubed + coloured**2) / 0.01**2
        np.testing.assert_allclose(squared[sample], expected, rtol=1e-12)


def test_coloured_errors_do_not_pass_for_white_ones():
    white, _, _ = deviations(*fields((0.001, 0.001), (0.02, 0.01), sources=0.0))
    np.testing.assert_allclose(white, 0.001, rtol=0.6)


def test_white_noise_is_read_from_0_4_cycles_a_voxel_on():
    _, mask, kernel = fields((0.0, 0.0))
    k = frequencies(SIZE)
    amplitude = np.where(k < 0.3997, 0.0, 0.003 * np.sqrt(mask[0].sum()))
    residual = np.broadcast_to(amplitude, (2, 1, *k.shape)).astype(complex)
    errors = error_power(tf.constant(residual), tf.constant(mask), kernel)
    np.testing.assert_allclose(errors.white, 0.003**2, rtol=1e-6)
    np.testing.assert_allclose(errors.coloured, LEAST.coloured)


def test_what_chance_makes_of_coloured_errors_is_no_smooth_one():
    _, mask, kernel = fields((0.0, 0.0))
    k = frequencies(SIZE)

    def smooth(times, law):
        power = 0.003**2 * mask[0].sum() * law
        power = np.where(k < 0.05, times * power, power)
        residual = np.broadcast_to(np.sqrt(power), (2, 1, *k.shape)).astype(complex)
        return error_power(tf.constant(residual), tf.constant(mask), kernel).smooth

    coloured = 1 / cubed_frequencies(SIZE, kernel).numpy()
    np.testing.assert_allclose(smooth(1.9, coloured), 0)
    assert (smooth(3, coloured).numpy() > 0.01**2).all()
    np.testing.assert_allclose(smooth(4, coloured), 2 * smooth(3, coloured), rtol=0.01)
    white = smooth(1, np.ones(k.shape))
    np.testing.assert_allclose(white, 0, atol=1e-12)  # nor are these
