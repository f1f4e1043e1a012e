"""Strong sources, such as bleeds and calcifications, for examples to train with."""

import math

import tensorflow as tf

from spinet_tf.field_simulation import smooth_noise

RADIUS = (2.0, 14.0)  # [mm]
STRENGTH = (0.3, 2.0)  # [ppm]
DIAMAGNETIC = 0.6  # how many of them


def strong_source(mask, voxel_size, seeds):
    """A rough ellipsoid of uneven strength, somewhere in the mask.

    Radius and strength are drawn uniformly in their logarithms. The semi-axes vary
    around the radius by a quarter, and the susceptibility in the source around the
    strength by up to a quarter (standard deviations).

    Args:
        mask: float32 `(x, y, z)`, 0 or 1.
        voxel_size: float32 `(3,)` [mm].
        seeds: `spinet_tf.field_simulation.Seeds`.

    Returns:
        Its susceptibility float32 `(x, y, z)` [ppm], and the fraction of each voxel
        that it fills, float32 `(x, y, z)`, 0 outside the mask.
    """
    shape = tf.shape(mask)
    drawn = tf.reshape(mask * seeds.uniform(shape=shape), [-1])
    centre = tf.unravel_index(tf.argmax(drawn, output_type=tf.int32), shape)
    centre = tf.cast(centre, tf.float32)
    radius = tf.exp(seeds.uniform(*map(math.log, RADIUS)))
    strength = tf.exp(seeds.uniform(*map(math.log, STRENGTH)))
    strength *= tf.where(seeds.uniform() < DIAMAGNETIC, -1.0, 1.0)
    semi_axes = radius * tf.exp(0.25 * seeds.normal((3,)))
    positions = [
        (tf.range(tf.cast(shape[i], tf.float32)) - centre[i]) * voxel_size[i]
        for i in range(3)
    ]
    offset = tf.stack(tf.meshgrid(*positions, indexing="ij"), axis=-1)
    turn, _ = tf.linalg.qr(seeds.normal((3, 3)))
    distance = tf.norm(tf.linalg.matmul(offset, turn) / semi_axes, axis=-1)
    edge = tf.reduce_mean(voxel_size)
    rough = smooth_noise(seeds, shape, tf.maximum(1.5, 0.6 * radius / edge))
    distance *= 1 + seeds.uniform(0.0, 0.2) * rough
    # The border is one voxel wide.
    fraction = (1 - distance) * radius / edge + 0.5
    uneven = 1 + seeds.uniform(0.0, 0.25) * smooth_noise(seeds, shape, 1.5)
    return strength * uneven, tf.clip_by_value(fraction, 0, 1) * mask


def with_strong_source(
    susceptibility, mask, white_matter, voxel_size, probability, seeds
):
    """An example in which there may be a strong source.

    Args:
        susceptibility: float32 `(x, y, z)` [ppm], zero mean in the mask, 0 outside.
        mask: float32 `(x, y, z)`, 0 or 1.
        white_matter: float32 `(x, y, z)`, fraction.
        voxel_size: float32 `(3,)` [mm].
        probability: float in [0, 1].
        seeds: `spinet_tf.field_simulation.Seeds`.

    Returns:
        Susceptibility and white matter with the source, if there is one.
    """
    source, fraction = strong_source(mask, voxel_size, seeds)
    fraction *= tf.cast(seeds.uniform() < probability, tf.float32)
    susceptibility += fraction * (source - susceptibility)
    mean = tf.math.divide_no_nan(
        tf.reduce_sum(susceptibility * mask), tf.reduce_sum(mask)
    )
    return mask * (susceptibility - mean), white_matter * (1 - fraction)
