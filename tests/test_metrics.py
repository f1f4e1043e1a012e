"""Metrics of whole maps, by hand and by loops over voxels."""

import itertools
import math

import numpy as np
import pytest

from spinet_tf.metrics_challenge import challenge_metrics
from spinet_tf.metrics_release import release_metrics

SHAPE = (11, 8, 7)
ERRORS = ("nrmse", "nrmse_detrend", "hfen")


def random_maps(seed, shape=SHAPE):
    """A reference, a disturbed copy of it and a mask with holes and a bare border."""
    generator = np.random.default_rng(seed)
    reference = 0.05 * generator.standard_normal(shape)
    reconstruction = 0.8 * reference + 0.02 * generator.standard_normal(shape) + 0.01
    mask = np.zeros(shape, bool)
    mask[1:-1, 1:, :-1] = (
        generator.random((shape[0] - 2, shape[1] - 1, shape[2] - 1)) < 0.9
    )
    return np.where(mask, reconstruction, 0), np.where(mask, reference, 0), mask


def neighbourhood(volume, centre, radius):
    """Values and offsets of the voxels of the volume within a cube around one."""
    for index in np.ndindex(volume.shape):
        offset = tuple(i - c for i, c in zip(index, centre, strict=True))
        if max(abs(o) for o in offset) <= radius:
            yield volume[index], offset


def test_equal_maps_have_no_error():
    _, reference, mask = random_maps(0)
    release = release_metrics(reference, reference)
    assert release["rmse"] == release["hfen"] == 0
    assert release["psnr"] == math.inf
    assert release["ssim"] == pytest.approx(1, abs=1e-12)
    challenge = challenge_metrics(reference, reference, mask)
    assert [challenge[name] for name in ERRORS] == pytest.approx([0, 0, 0], abs=1e-10)
    assert challenge["correlation"] == pytest.approx(1, abs=1e-12)
    assert challenge["xsim"] == pytest.approx(1, abs=1e-12)
    assert challenge["coverage"] == 1


def test_release_by_hand():
    reference = np.zeros((3, 2, 2))
    reference[0, 0, 0], reference[1, 1, 1] = 3, 4
    reconstruction = np.zeros((3, 2, 2))
    reconstruction[0, 0, 0], reconstruction[1, 1, 1] = 3, 1
    metrics = release_metrics(reconstruction, reference)
    assert metrics["rmse"] == pytest.approx(100 * 3 / 5)
    # The joint minimum is 0 and the joint maximum 4: the one error is 3/4 of 255.
    mean_squared_error = (255 * 3 / 4) ** 2 / 12
    assert metrics["psnr"] == pytest.approx(
        10 * math.log10(255**2 / mean_squared_error)
    )


def test_release_rescaling_spares_the_background():
    reference = np.array([-1.0, 0.0, 3.0]).reshape(3, 1, 1)
    reconstruction = np.array([-1.0, 0.0, 1.0]).reshape(3, 1, 1)
    # Without the zero voxel, minus -1, over 4: (0, 0, 1) and (0, 0, 1/2).
    expected = 10 * math.log10(3 / 0.5**2)
    assert release_metrics(reconstruction, reference)["psnr"] == pytest.approx(expected)


def test_release_is_not_demeaned():
    reconstruction, reference, mask = random_maps(1)
    shifted = reconstruction + 0.05 * mask
    before = release_metrics(reconstruction, reference)["rmse"]
    assert release_metrics(shifted, reference)["rmse"] > 1.2 * before


@pytest.mark.parametrize("shape", [(17, 4, 3), (3, 12, 5)])
def test_release_hfen_equals_a_direct_convolution(shape):
    reconstruction, reference, _ = random_maps(2, shape)
    offsets = list(itertools.product(range(-7, 8), repeat=3))
    gaussian = {o: math.exp(-sum(i * i for i in o) / 4.5) for o in offsets}
    total = sum(gaussian.values())
    kernel = {
        o: g / total * (sum(i * i for i in o) / 1.5**4 - 3 / 1.5**2)
        for o, g in gaussian.items()
    }
    mean = sum(kernel.values()) / 15**3

    def filtered(volume):
        return np.array(
            [
                sum(v * (kernel[o] - mean) for v, o in neighbourhood(volume, c, 7))
                for c in np.ndindex(shape)
            ]
        )

    a, b = filtered(reconstruction), filtered(reference)
    expected = 100 * math.sqrt(((a - b) ** 2).sum() / (b**2).sum())
    measured = release_metrics(reconstruction, reference)["hfen"]
    assert measured == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("shape", [(9, 6, 5), (6, 8, 7)])
def test_release_ssim_equals_direct_loops(shape):
    reconstruction, reference, _ = random_maps(3, shape)
    low = min(reconstruction.min(), reference.min())
    a, b = (np.where(v != 0, v - low, 0) for v in (reconstruction, reference))
    high = max(a.max(), b.max())
    a, b = 255 * a / high, 255 * b / high
    c1, c2 = 2.55**2, 7.65**2
    one_axis = sum(math.exp(-i * i / 4.5) for i in range(-2, 3))
    similarities = []
    for centre in zip(*np.nonzero(a), strict=True):
        m_a = m_b = m_aa = m_bb = m_ab = 0.0
        for (u, offset), (v, _) in zip(
            neighbourhood(a, centre, 2), neighbourhood(b, centre, 2), strict=True
        ):
            w = math.exp(-sum(i * i for i in offset) / 4.5) / one_axis**3
            m_a, m_b = m_a + w * u, m_b + w * v
            m_aa, m_bb, m_ab = m_aa + w * u * u, m_bb + w * v * v, m_ab + w * u * v
        luminance = (2 * m_a * m_b + c1) / (m_a**2 + m_b**2 + c1)
        structure = (2 * (m_ab - m_a * m_b) + c2) / (m_aa - m_a**2 + m_bb - m_b**2 + c2)
        similarities.append(luminance * structure)
    measured = release_metrics(reconstruction, reference)["ssim"]
    assert measured == pytest.approx(np.mean(similarities), rel=1e-10)


def test_release_of_an_all_zero_reference_is_undefined():
    zeros = np.zeros(SHAPE)
    assert all(
        math.isnan(release_metrics(zeros, zeros)[name]) for name in ("rmse", "hfen")
    )
    assert math.isnan(release_metrics(zeros, zeros)["ssim"])


def test_challenge_by_hand():
    reference = np.array([1.0, 2.0, 3.0, 50.0]).reshape(4, 1, 1)
    reconstruction = np.array([3.0, 6.0, 6.0, -9.0]).reshape(4, 1, 1)
    mask = np.array([1, 1, 1, 0]).reshape(4, 1, 1)
    metrics = challenge_metrics(reconstruction, reference, mask)
    # Demeaned: (-1, 0, 1) and (-2, 1, 1); the fitted slope is 3/2.
    assert metrics["nrmse"] == pytest.approx(100 * math.sqrt(2 / 2))
    assert metrics["nrmse_detrend"] == pytest.approx(100 * math.sqrt(2 / 3 / 2))
    assert metrics["correlation"] == pytest.approx(3 / math.sqrt(2 * 6))


@pytest.mark.parametrize("shape", [(9, 6, 5), (6, 8, 7)])
def test_xsim_equals_direct_loops(shape):
    reconstruction, reference, mask = random_maps(4, shape)
    similarities = []
    for centre in zip(*np.nonzero(mask), strict=True):
        a = np.array([v for v, _ in neighbourhood(reconstruction, centre, 2)])
        b = np.array([v for v, _ in neighbourhood(reference, centre, 2)])
        covariance = ((a - a.mean()) * (b - b.mean())).mean()
        luminance = (2 * a.mean() * b.mean() + 1e-4) / (
            a.mean() ** 2 + b.mean() ** 2 + 1e-4
        )
        structure = (2 * covariance + 1e-6) / (a.var() + b.var() + 1e-6)
        similarities.append(luminance * structure)
    measured = challenge_metrics(reconstruction, reference, mask)["xsim"]
    assert measured == pytest.approx(np.mean(similarities), rel=1e-9)


def test_challenge_nrmse_ignores_an_offset():
    reconstruction, reference, mask = random_maps(5)
    before = challenge_metrics(reconstruction, reference, mask)
    after = challenge_metrics(reconstruction + 0.3, reference - 0.2, mask)
    for name in ("nrmse", "nrmse_detrend", "correlation"):
        assert after[name] == pytest.approx(before[name], rel=1e-9)


def test_detrended_nrmse_ignores_the_scale():
    reconstruction, reference, mask = random_maps(6)
    before = challenge_metrics(reconstruction, reference, mask)
    after = challenge_metrics(2.5 * reconstruction, reference, mask)
    assert after["nrmse_detrend"] == pytest.approx(before["nrmse_detrend"], rel=1e-9)
    assert after["correlation"] == pytest.approx(before["correlation"], rel=1e-9)
    assert after["nrmse"] > 1.5 * before["nrmse"]


def test_challenge_sees_nothing_outside_the_mask():
    reconstruction, reference, mask = random_maps(7)
    polluted = np.where(mask, reconstruction, np.nan), np.where(mask, reference, 9.0)
    assert challenge_metrics(*polluted, mask) == challenge_metrics(
        reconstruction, reference, mask
    )


def test_missing_voxels_count_as_zero_and_lower_the_coverage():
    reconstruction, reference, mask = random_maps(8)
    missing = np.argwhere(mask)[:5]
    broken, zeroed = reconstruction.copy(), reconstruction.copy()
    broken[tuple(missing.T)], zeroed[tuple(missing.T)] = np.nan, 0
    metrics = challenge_metrics(broken, reference, mask)
    assert metrics == challenge_metrics(zeroed, reference, mask)
    assert metrics["coverage"] == pytest.approx(1 - 5 / mask.sum())


def test_challenge_of_a_constant_reference_is_undefined():
    reconstruction, _, mask = random_maps(9)
    metrics = challenge_metrics(reconstruction, np.zeros(SHAPE), mask)
    assert all(math.isnan(metrics[name]) for name in ERRORS)
    assert metrics["correlation"] == 0
    empty = challenge_metrics(reconstruction, reconstruction, np.zeros(SHAPE))
    assert all(math.isnan(value) for value in empty.values())


def test_what_rounding_leaves_of_a_constant_is_nothing():
    noise = np.random.default_rng(0).standard_normal(SHAPE)
    constant, mask = np.full(SHAPE, 0.1), np.ones(SHAPE)
    metrics = challenge_metrics(noise, constant, mask)
    assert math.isnan(metrics["nrmse"]) and math.isnan(metrics["nrmse_detrend"])
    assert metrics["correlation"] == 0
    metrics = challenge_metrics(constant, noise, mask)
    assert metrics["nrmse_detrend"] == pytest.approx(100)
