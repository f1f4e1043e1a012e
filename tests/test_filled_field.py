"""A field outside the mask, filled in with what is predicted there."""

import numpy as np
import tensorflow as tf

from spinet_tf.data_consistency import DataConsistency
from spinet_tf.dipole_operator import filter_volume
from spinet_tf.filled_field import predict_field
from spinet_tf.schatten_norm import SchattenNorm
from tests.test_data_consistency import half_masks, layer_inputs


def test_sources_outside_the_mask_make_no_field():
    _, kernel, chi, _ = layer_inputs()
    mask = tf.constant(half_masks(chi.shape))
    found = predict_field(chi, mask, kernel).volume
    np.testing.assert_allclose(found, filter_volume(mask * chi, kernel), atol=1e-12)


def check_filled(mask, taken, source, **given):
    """A layer takes a share of a field, and z of a source for the rest; its answer."""
    field, kernel, chi, denoised = layer_inputs()
    penalty = SchattenNorm(0.1, 2.0, dtype="float64")
    layer = DataConsistency(1, 1e-13, 300, penalty, dtype="float64")
    filled = taken * field + (1 - taken) * filter_volume(source * denoised, kernel)
    expected = layer(filled, kernel, chi, denoised).susceptibility
    found = layer(mask * field, kernel, chi, denoised, mask, **given)
    np.testing.assert_allclose(found.susceptibility, expected, atol=1e-10)
    return found


def test_z_outside_the_mask_explains_nothing_inside():
    mask = tf.constant(half_masks(layer_inputs()[2].shape))
    check_filled(mask, mask, mask)


def test_a_trust_that_is_given_is_used():
    mask = tf.constant(half_masks(layer_inputs()[2].shape))
    found = check_filled(mask, 0.5 * mask, mask, trust=0.5 * mask)
    np.testing.assert_array_equal(found.trust, 0.5 * mask)


def test_sources_may_be_where_the_field_is_not_known():
    mask = tf.constant(half_masks(layer_inputs()[2].shape))
    sources = tf.maximum(mask, tf.reverse(mask, axis=[1]))
    found = check_filled(mask, mask, sources, sources=sources)
    without = check_filled(mask, mask, mask)
    assert np.ptp(found.susceptibility - without.susceptibility) > 1e-6
