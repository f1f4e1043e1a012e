import numpy as np
import pytest

from spinet_tf.classical import CLASSICAL_METHODS, tikhonov, tkd
from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.errors import InputError
from spinet_tf.metrics_challenge import challenge_metrics
from spinet_tf.phantom import digital_head

OBLIQUE = (0.36, -0.48, 0.8)
GRIDS = [((6, 5, 4), (1.0, 2.0, 1.5)), ((5, 4, 7), (0.7, 1.3, 2.0))]


def full_kernel(shape, voxel_size, b0_direction=OBLIQUE):
    """D on the full grid, on Nyquist planes the mean over both signs."""
    k = np.meshgrid(
        *(np.fft.fftfreq(n, d) for n, d in zip(shape, voxel_size, strict=True)),
        indexing="ij",
    )
    squared = sum(axis**2 for axis in k)
    squared[0, 0, 0] = 1
    along_b0 = sum(b * axis for b, axis in zip(b0_direction, k, strict=True))
    kernel = 1 / 3 - along_b0**2 / squared
    kernel[0, 0, 0] = 0
    mirrored = np.roll(kernel[::-1, ::-1, ::-1], 1, (0, 1, 2))
    return (kernel + mirrored) / 2


def half(kernel):
    return kernel[..., : kernel.shape[2] // 2 + 1]


def random_problem(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape).astype(np.float32), rng.random(shape) < 0.8


def noisy_head(noise):
    head = digital_head((48, 56, 43))
    kernel = full_kernel(head.mask.shape, head.voxel_size)
    field = np.fft.ifftn(kernel * np.fft.fftn(head.susceptibility)).real
    field += noise * np.random.default_rng(0).standard_normal(field.shape)
    return head, np.where(head.mask, field, 0).astype(np.float32), half(kernel)


@pytest.mark.parametrize(("shape", "voxel_size"), GRIDS)
def test_tikhonov_equals_a_dense_solve(shape, voxel_size):
    field, mask = random_problem(shape)
    kernel = full_kernel(shape, voxel_size)
    basis = np.eye(field.size).reshape(-1, *shape)
    columns = np.fft.ifftn(kernel * np.fft.fftn(basis, axes=(1, 2, 3)), axes=(1, 2, 3))
    phi = columns.real.reshape(field.size, -1).T
    expected = np.linalg.solve(
        phi.T @ phi + 0.03 * np.eye(field.size), phi.T @ (mask * field).ravel()
    )
    susceptibility = tikhonov(field, mask, half(kernel), weight=0.03)
    expected = mask * expected.reshape(shape)
    np.testing.assert_allclose(susceptibility, expected, atol=2e-6)


@pytest.mark.parametrize(("shape", "voxel_size"), GRIDS)
def test_tkd_equals_a_loop_over_k_space(shape, voxel_size):
    field, mask = random_problem(shape, 1)
    kernel = full_kernel(shape, voxel_size)
    spectrum = np.fft.fftn(mask * field)
    for index in np.ndindex(shape):
        d = kernel[index]
        if abs(d) < 0.2:
            d = -0.2 if d < 0 else 0.2
        spectrum[index] /= d
    spectrum[0, 0, 0] = 0
    expected = mask * np.fft.ifftn(spectrum).real
    susceptibility = tkd(field, mask, half(kernel), threshold=0.2)
    np.testing.assert_allclose(susceptibility, expected, atol=1e-5)


def test_tkd_takes_the_sign_of_zero_as_positive():
    shape = (6, 5, 4)
    kernel = np.full(shape, 1 / 3)
    kernel[1, 0, 0] = kernel[-1, 0, 0] = 0
    wave = np.cos(2 * np.pi * np.arange(6) / 6)[:, None, None] * np.ones(shape)
    susceptibility = tkd(wave, np.ones(shape), half(kernel), threshold=0.1)
    np.testing.assert_allclose(susceptibility, 10 * wave, atol=1e-5)


def test_tkd_uses_a_known_dc_value():
    shape = (6, 5, 4)
    kernel = full_kernel(shape, (1, 1, 1))
    kernel[0, 0, 0] = 1 / 3
    field = np.full(shape, 0.02, np.float32)
    susceptibility = tkd(field, np.ones(shape), half(kernel))
    np.testing.assert_allclose(susceptibility, 0.06, rtol=1e-5)


@pytest.mark.parametrize("method", CLASSICAL_METHODS.values())
def test_inversions_resemble_the_head(method):
    head, field, kernel = noisy_head(noise=0.0)
    susceptibility = method(field, head.mask, kernel)
    assert susceptibility.dtype == np.float32
    assert not susceptibility[~head.mask].any()
    metrics = challenge_metrics(susceptibility, head.susceptibility, head.mask)
    assert metrics["correlation"] > 0.9


@pytest.mark.parametrize(("method", "default"), [(tkd, 0.2), (tikhonov, 0.008)])
def test_defaults_suit_a_noisy_head(method, default):
    head, field, kernel = noisy_head(noise=0.002)

    def error(*value):
        susceptibility = method(field, head.mask, kernel, *value)
        return challenge_metrics(susceptibility, head.susceptibility, head.mask)[
            "nrmse"
        ]

    assert error() == error(default)
    assert error() < min(error(default / 2), error(default * 2))


@pytest.mark.parametrize("method", CLASSICAL_METHODS.values())
def test_zero_field_gives_zero(method):
    shape = (5, 4, 6)
    kernel = half(full_kernel(shape, (1, 1, 2)))
    assert not method(np.zeros(shape), np.ones(shape), kernel).any()


@pytest.mark.parametrize("method", CLASSICAL_METHODS.values())
def test_what_lies_outside_the_mask_is_ignored(method):
    field, mask = random_problem((6, 5, 4))
    kernel = half(full_kernel(field.shape, (1, 1, 2)))
    polluted = np.where(mask, field, np.nan)
    np.testing.assert_array_equal(
        method(polluted, mask, kernel), method(field, mask, kernel)
    )


@pytest.mark.parametrize("method", CLASSICAL_METHODS.values())
def test_wrong_input_is_named(method):
    field, mask = random_problem((6, 5, 4))
    kernel = full_kernel(field.shape, (1, 1, 2))
    with pytest.raises(InputError, match=r"mask: .*\(6, 5, 4\), got \(5, 5, 4\)"):
        method(field, mask[1:], half(kernel))
    with pytest.raises(InputError, match=r"kernel: .*\(6, 5, 3\), got \(6, 5, 4\)"):
        method(field, mask, kernel)
    with pytest.raises(InputError, match="above 0, got 0"):
        method(field, mask, half(kernel), 0)


def test_mask_is_what_is_above_zero():
    rng = np.random.default_rng(0)
    field = rng.standard_normal((6, 7, 8)).astype("float32")
    kernel = dipole_kernel((6, 7, 8), np.ones((1, 3), "f4"), [[0.0, 0, 1]])[0].numpy()
    mask = np.where(rng.random(field.shape) < 0.6, 0.25, 0)
    np.testing.assert_array_equal(
        tikhonov(field, mask, kernel), tikhonov(field, mask > 0, kernel)
    )


@pytest.mark.parametrize("method", CLASSICAL_METHODS.values())
def test_a_kernel_may_be_a_tensor_or_a_list_but_no_batch(method):
    field, mask = random_problem((6, 5, 4))
    kernel = dipole_kernel(field.shape, [[1.0, 1.0, 2.0]], [[0.0, 0.6, 0.8]])
    expected = method(field, mask, kernel[0].numpy())
    for given in (kernel[0], kernel[0].numpy().tolist()):
        np.testing.assert_allclose(method(field, mask, given), expected, atol=1e-6)
    with pytest.raises(InputError, match=r"kernel: .*\(6, 5, 3\), got \(1, 6, 5, 3\)"):
        method(field, mask, kernel)
