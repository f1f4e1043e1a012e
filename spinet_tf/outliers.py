"""Voxels of a local field that no susceptibility explains.

Voxels without signal and errors of unwrapping are no noise: they are few, isolated, and
by far larger. A fit of least squares would bend the map around each of them; here
they are left out of it, as the field outside the mask is.

A strong source that the denoiser does not have is fitted in part at first, and what is
missing of its field, next to it, is large too. Were it left out, the next fit would
have less of the source, and so on. But it is in proportion to what is explained there.
"""

import math

import tensorflow as tf

BELIEVED = 8.0  # deviations of the misfit, up to which a voxel counts in full
LEFT_OUT = 14.0  # deviations, from which on it does not count
LEAST_DEVIATION = 0.002  # ppm; what is small harms nobody
SOURCES_SHARE = 0.15  # of the explained field, which may miss next to a source
DEVIATION_OF_MEAN = math.sqrt(math.pi / 2)  # a normal variable's, over its mean size


def trust_in_field(misfit, explained, mask):
    """How much each voxel of a field counts.

    Args:
        misfit: float `(batch, x, y, z, channel)` [ppm], y - Phi chi of a chi that has
            been fitted to y, for what has not been fitted yet is no outlier. Its first
            channel is what counts.
        explained: like `misfit`, Phi chi.
        mask: float `(batch, x, y, z, 1)`, 0 or 1.

    Returns:
        float `(batch, x, y, z, 1)`, from 0 to the mask; gets no gradient.
    """
    size, of_sources = (
        mask * tf.abs(tf.stop_gradient(field[..., :1])) for field in (misfit, explained)
    )
    voxels = tf.maximum(tf.reduce_sum(mask, axis=(1, 2, 3, 4), keepdims=True), 1)

    def deviation(sizes):
        total = tf.reduce_sum(sizes, axis=(1, 2, 3, 4), keepdims=True)
        return DEVIATION_OF_MEAN * total / voxels

    # Outliers count for less and less of what they are measured by.
    found = deviation(size)
    for _ in range(2):
        found = deviation(tf.minimum(size, 3 * found))
    left_out = LEFT_OUT * tf.maximum(found, LEAST_DEVIATION)
    outlying = size - SOURCES_SHARE * of_sources
    share = (left_out - outlying) / (left_out * (1 - BELIEVED / LEFT_OUT))
    return mask * tf.clip_by_value(share, 0, 1)


def share_left_out(trust, mask):
    """Share of a mask's voxels whose field is not believed.

    Args:
        trust: float `(batch, x, y, z, 1)`, what `trust_in_field` gives.
        mask: like `trust`, 0 or 1.

    Returns:
        float `(batch,)`, 0 for an empty mask.
    """
    left_out, voxels = (
        tf.reduce_sum(volume, axis=(1, 2, 3, 4)) for volume in (mask - trust, mask)
    )
    return tf.math.divide_no_nan(left_out, voxels)
