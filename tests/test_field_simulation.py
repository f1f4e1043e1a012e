import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.field_simulation import (
    FieldErrors,
    Seeds,
    background_field,
    coloured_noise,
    nearby_background_field,
    random_b0_direction,
    realistic_field,
    smooth_noise,
)
from spinet_tf.simulate import simulate_field

SIZE, VOXEL_SIZE, B0 = (20, 18, 23), (0.8, 1.0, 1.5), (0.0, 0.6, 0.8)
NONE = FieldErrors(1e-9, 1e-9, 0, 0, 0, 0, 0, 0)


def seeds(number=0):
    return Seeds(tf.constant([number, 7]))


def simulate(errors, seed=0, white_matter=1.0):
    rng = np.random.default_rng(0)
    mask = np.zeros(SIZE, np.float32)
    mask[3:-3, 3:-3, 3:-3] = 1
    chi = (0.03 * mask * rng.standard_normal(SIZE)).astype("float32")
    field = realistic_field(
        tf.constant(chi),
        tf.constant(mask),
        tf.constant(white_matter * mask),
        tf.constant(VOXEL_SIZE),
        tf.constant(B0),
        errors,
        seeds(seed),
    )
    exact = simulate_field(chi, mask, VOXEL_SIZE, B0)
    return field.numpy(), exact, mask > 0


def test_without_errors_it_is_the_forward_model():
    field, exact, _ = simulate(NONE)
    np.testing.assert_allclose(field, exact, atol=1e-7)


@pytest.mark.parametrize(
    ("errors", "bound"),
    [
        (NONE._replace(noise_low=0.002, noise_high=0.002), 0.003),
        (NONE._replace(background=0.003), 0.006),
        (NONE._replace(anisotropy=0.02), 0.02),
        (NONE._replace(smooth=0.002), 0.004),
        (NONE._replace(gain=0.05), 0.005),
        (NONE._replace(near_sources=0.2), 0.006),
        (NONE._replace(coloured=0.01), 0.005),
    ],
)
def test_each_error_changes_the_field_inside_its_bound(errors, bound):
    field, exact, mask = simulate(errors)
    assert (field[~mask] == 0).all()
    deviation = (field - exact)[mask].std()
    assert 1e-6 < deviation < bound


def test_anisotropy_is_of_white_matter_only():
    field, exact, _ = simulate(NONE._replace(anisotropy=0.02), white_matter=0.0)
    np.testing.assert_allclose(field, exact, atol=1e-7)


def test_noise_has_the_stated_deviation():
    """It varies over a head by a factor whose logarithm has mean zero."""
    errors = NONE._replace(noise_low=0.004, noise_high=0.004)
    logarithms = []
    for seed in range(12):
        field, exact, mask = simulate(errors, seed)
        logarithms.append(np.log(np.abs(field - exact)[mask]).mean())
    gaussian = -(np.euler_gamma + np.log(2)) / 2  # mean of log |N(0, 1)|
    assert np.exp(np.mean(logarithms) - gaussian) == pytest.approx(0.004, rel=0.15)


@pytest.mark.parametrize("size", [SIZE, (21, 24, 16)])
def test_coloured_noise_has_the_stated_spectrum(size):
    axes = [np.fft.fftfreq(n) for n in size[:2]] + [np.fft.rfftfreq(size[2])]
    k = np.sqrt(sum(x**2 for x in np.meshgrid(*axes, indexing="ij")))
    kernel = tf.ones(k.shape)
    power = np.zeros(k.shape)
    for number in range(20):
        noise = coloured_noise(seeds(number), size, kernel)
        power += np.abs(np.fft.rfftn(noise)) ** 2 / np.prod(size) / 20
    for low, high in ((0.05, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 0.9)):
        band = (k >= low) & (k < high)
        stated = ((k[band] ** 2 + 0.02**2) / 0.15**2) ** -1.5
        assert np.mean(power[band] / stated) == pytest.approx(1, rel=0.1)


def test_errors_near_sources_stay_near_sources():
    chi, mask = np.zeros(SIZE, np.float32), np.ones(SIZE, np.float32)
    chi[10, 9, 11] = 0.3
    geometry = (tf.constant(VOXEL_SIZE), tf.constant(B0))
    field = realistic_field(
        *(tf.constant(volume) for volume in (chi, mask, mask)),
        *geometry,
        NONE._replace(near_sources=0.5),
        seeds(),
    )
    error = np.abs(field - simulate_field(chi, mask, VOXEL_SIZE, B0)) > 1e-6
    assert error[10, 9, 11]
    assert error[9:12, 8:11, 10:13].sum() > 20
    far = np.ones(SIZE, bool)
    far[9:12, 8:11, 10:13] = False
    assert not error[far].any()


def test_same_seed_same_field_and_another_seed_another():
    first, again, other = (simulate(FieldErrors(), seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_smooth_noise_is_smooth_and_normalised():
    rough, smooth = (smooth_noise(seeds(), (32, 30, 34), s).numpy() for s in (0.01, 4))
    for noise in (rough, smooth):
        assert noise.mean() == pytest.approx(0, abs=1e-5)
        assert noise.std() == pytest.approx(1, abs=1e-4)
    assert np.diff(smooth, axis=0).std() < 0.3 * np.diff(rough, axis=0).std()


def test_background_is_harmonic():
    shape, voxel_size = (24, 26, 28), np.array([1.0, 1.2, 0.9], "float32")
    field = background_field(
        seeds(), shape, tf.constant(voxel_size), tf.constant(B0)
    ).numpy()
    spacing = (np.array(shape) * voxel_size) / (np.array(shape) - 1)
    second = [
        np.diff(field, 2, axis)[
            tuple(slice(None) if i == axis else slice(1, -1) for i in range(3))
        ]
        / spacing[axis] ** 2
        for axis in range(3)
    ]
    laplacian = sum(second)
    assert np.abs(laplacian).max() < 0.05 * np.abs(second).max()
    assert field.std() == pytest.approx(1, abs=1e-3)


def test_nearby_background_is_harmonic_in_the_mask_and_strongest_at_its_edge():
    shape, voxel_size = (40, 42, 44), (1.0, 1.0, 1.0)
    mask = np.zeros(shape, np.float32)
    mask[8:-8, 8:-8, 8:-8] = 1
    kernel = dipole_kernel(shape, tf.constant([voxel_size]), tf.constant([B0]))[0]
    field = nearby_background_field(seeds(), tf.constant(mask), kernel).numpy()
    assert (field[mask > 0] ** 2).mean() == pytest.approx(1, rel=1e-3)
    deep = np.zeros(shape, bool)
    deep[16:-16, 16:-16, 16:-16] = True
    rim = (mask > 0) & ~deep
    assert field[deep].std() < 0.5 * field[rim].std()
    second = [np.gradient(np.gradient(field, axis=i), axis=i)[deep] for i in range(3)]
    assert np.abs(sum(second)).std() < 0.2 * np.abs(second).std()


def test_a_mask_without_an_outside_has_no_nearby_background():
    kernel = dipole_kernel(SIZE, tf.constant([VOXEL_SIZE]), tf.constant([B0]))[0]
    field = nearby_background_field(seeds(), tf.ones(SIZE), kernel)
    np.testing.assert_array_equal(field, np.zeros(SIZE))


@pytest.mark.parametrize("size", [16, 24])
def test_smooth_noise_of_a_length_like_the_grids(size):
    """What there is of it is far smaller than the mean that is taken off."""
    for number in range(20):
        noise = smooth_noise(seeds(number), (size,) * 3, float(size)).numpy()
        assert noise.std() == pytest.approx(1, abs=1e-3)
        assert np.abs(noise).max() < 4
        assert np.abs(np.diff(noise, axis=0)).max() < 8 / size


def test_b0_directions_lie_on_all_sides_and_half_of_them_near_axial():
    found = np.array([random_b0_direction(Seeds([3, i])).numpy() for i in range(400)])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert np.abs(found[:, :2].mean(axis=0)).max() < 0.15
    x, y = found[:, :2].std(axis=0)
    assert x == pytest.approx(y, rel=0.25)
    assert found[:, 2].min() < -0.5
    degrees = np.degrees(np.arccos(found[:, 2]))
    near = degrees <= 40
    assert 0.5 < near.mean() < 0.68  # half, and 12% of the others
    assert np.histogram(degrees[near], [0, 25, 40])[0].min() > 60
