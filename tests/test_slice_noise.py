"""The noise that interpolated slices get at the frequencies that no field has there."""

import numpy as np
import pytest

from benchmarks.thick_slices import thick_scan
from spinet_tf.phantom import digital_head
from spinet_tf.simulate import simulate_field
from spinet_tf.thick_slices import ThinGrid, white_noise


def known_frequencies(size, parts):
    """True where a field has frequencies, False where not; NaN at its highest."""
    known = 1.0
    for axis, (n, k) in enumerate(zip(size, parts, strict=True)):
        cycles, highest = np.abs(np.fft.fftfreq(n, 1 / n)), n / k / 2
        along = np.where(np.isclose(cycles, highest), np.nan, cycles < highest)
        along = along if k > 1 else np.ones(n)
        known = known * np.expand_dims(along, [a for a in range(3) if a != axis])
    return known


@pytest.mark.parametrize("voxel_size", [(1, 1, 3), (2, 1, 3)])
def test_noise_is_where_interpolation_leaves_none_and_as_strong(voxel_size):
    grid = ThinGrid(voxel_size)
    noise = np.random.default_rng(1).normal(0, 0.004, (24, 21, 20))
    interpolated = grid.interpolate(noise)
    missing = grid.missing_noise(0.004, interpolated.shape)
    assert missing.dtype == np.float32
    known = known_frequencies(missing.shape, grid.parts)
    powers = [np.abs(np.fft.fftn(volume)) ** 2 for volume in (interpolated, missing)]
    there, elsewhere = (
        [power[known == value].mean() for power in powers] for value in (1, 0)
    )
    assert there[1] < 1e-6 * there[0] and elsewhere[0] < 1e-6 * elsewhere[1]
    assert elsewhere[1] == pytest.approx(there[0], rel=0.1)
    np.testing.assert_array_equal(missing, grid.missing_noise(0.004, missing.shape))


@pytest.mark.parametrize("share_wrong", [0, 0.005])
@pytest.mark.parametrize("deviation", [0.002, 0.01])
def test_the_noise_of_thick_slices_is_read(deviation, share_wrong):
    """Whatever some voxels hold that have no signal."""
    head, b0 = digital_head((64, 76, 54)), (0, 0.5, 0.866)
    field = simulate_field(head.susceptibility, head.mask | True, (1, 1, 1), b0)
    whole = field, head.mask, (1, 1, 1), b0
    (field, *scan), _ = thick_scan(whole, head.susceptibility, 3, deviation)
    rng = np.random.default_rng(2)
    wrong = rng.random(field.shape) < share_wrong
    field = np.where(wrong, rng.uniform(-0.5, 0.5, field.shape), field)
    outside = np.where(scan[0], field, np.nan)
    assert white_noise(outside, *scan) == pytest.approx(deviation, rel=0.25)
