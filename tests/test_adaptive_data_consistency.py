"""Data consistency that follows the errors of a field."""

import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.data_consistency import DataConsistency
from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.dipole_operator import filter_volume, spectrum_of
from spinet_tf.error_power import (
    LEAST,
    MOST,
    cubed_frequencies,
    error_power,
    penalty_emphasis,
    smooth_power,
)
from spinet_tf.schatten_norm import SchattenNorm
from tests.grids import geometry, random_volume
from tests.test_data_consistency import half_masks, layer_inputs


def adaptive_inputs():
    """`layer_inputs` on a grid that has frequencies in all bands, and masks."""
    rng = np.random.default_rng(4)
    size = (36, 37, 38)
    _, voxel_sizes, b0 = geometry("mixed", np.float64)
    # Of 3 and 2 mm next to none of the lowest frequencies is on the cone.
    voxel_sizes[0, 2], voxel_sizes[1, 0] = 1.2, 1.5
    field, chi, denoised = (
        tf.constant(0.05 * random_volume(rng, size, 1, dtype=np.float64))
        for _ in range(3)
    )
    mask = tf.constant(half_masks(field.shape))
    return mask * field, dipole_kernel(size, voxel_sizes, b0), chi, denoised, mask


def inputs_of_weak_errors():
    """`adaptive_inputs` whose errors lie within the bounds of `ErrorPower`."""
    field, kernel, chi, denoised, mask = adaptive_inputs()
    white, coloured, smooth = 0.1 * chi[..., ::-1, :], 0.1 * chi[:, ::-1], 3 * denoised
    size = field.shape[1:4]
    amplitude = 1 / tf.sqrt(cubed_frequencies(size, kernel))[tf.newaxis]
    field = mask * (
        white
        + filter_volume(coloured, amplitude)
        + filter_volume(smooth, tf.sqrt(smooth_power(size, kernel))[tf.newaxis])
    )
    return field, kernel, 0.1 * chi, 0.1 * denoised, mask


def test_an_adaptive_layer_takes_its_emphasis_from_what_z_leaves_unexplained():
    field, kernel, chi, denoised, mask = inputs_of_weak_errors()
    penalty = SchattenNorm(0.1, 1.4, dtype="float64")
    adaptive, plain = (
        DataConsistency(2, 1e-12, 300, penalty, adaptive=adaptive, dtype="float64")
        for adaptive in (True, False)
    )
    unexplained = mask * (field - filter_volume(mask * denoised, kernel))
    errors = error_power(spectrum_of(unexplained), mask, kernel)
    for power, least, most in zip(errors, LEAST, MOST, strict=True):
        assert (1.1 * least < power).numpy().all() and (
            1.1 * power < most
        ).numpy().all()
    emphasis = penalty_emphasis(errors, field.shape[1:4], kernel)

    def run(layer, *options):
        with tf.GradientTape() as tape:
            tape.watch([chi, denoised])
            result = layer(field, kernel, chi, denoised, mask, *options)
            loss = tf.reduce_sum(result.susceptibility**3)
        return result.susceptibility, tape.gradient(loss, [chi, denoised])

    expected, expected_gradients = run(plain, emphasis)
    found, gradients = run(adaptive)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    without, _ = run(plain)
    assert np.abs(found - without).max() > 0.02 * np.abs(found).max()
    for gradient, value in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, value, rtol=0, atol=1e-9)


def test_a_field_with_larger_errors_is_trusted_less():
    _, kernel, chi, denoised, mask = adaptive_inputs()
    noise = np.random.default_rng(0).standard_normal(mask.shape)
    layer = DataConsistency(
        1, 1e-10, 300, SchattenNorm(0.1, 2.0, dtype="float64"), adaptive=True
    )

    def pull(deviation):
        """How far a field of z itself and noise takes chi from z, a unit of noise."""
        exact = filter_volume(mask * denoised, kernel)
        field = mask * (exact + deviation * noise)
        solved = layer(field, kernel, chi, mask * denoised, mask)
        return tf.norm(solved.susceptibility - mask * denoised) / deviation

    assert pull(0.001) > 1.2 * pull(0.002) > 1.44 * pull(0.004)


def test_an_adaptive_layer_needs_a_mask():
    layer = DataConsistency(adaptive=True, dtype="float64")
    with pytest.raises(ValueError, match="needs a mask"):
        layer(*layer_inputs())
