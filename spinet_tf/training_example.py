"""A training example: a stored susceptibility map with a local field.

The field is simulated, in a geometry and with errors of its own, or the measured one.
"""

from typing import NamedTuple

import tensorflow as tf

from spinet_tf.field_simulation import Seeds, random_b0_direction, realistic_field
from spinet_tf.strong_sources import with_strong_source

AXIS_ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


class Turn(NamedTuple):
    """A swap of axes and then flips.

    Attributes:
        order: int32 `(3,)`, the old axis of each new one.
        flipped: bool `(3,)`, which new axes are flipped.
    """

    order: tf.Tensor
    flipped: tf.Tensor


def random_turn(shape, seeds):
    """A `Turn` drawn at random from all that a shape allows.

    Args:
        shape: `tf.TensorShape`, its first three edges those of the volume. Axes of
            different lengths, where these are known, are not swapped.
        seeds: `Seeds`.

    Returns:
        `Turn`.
    """
    orders = [
        order for order in AXIS_ORDERS if [shape[i] for i in order] == [*shape[:3]]
    ]
    number = tf.cast(seeds.uniform(0.0, float(len(orders))), tf.int32)
    return Turn(tf.gather(orders, number), seeds.uniform(shape=(3,)) < 0.5)


def turned(volumes, turn):
    """Volumes float32 `(x, y, z, volume)` in the axes of a `Turn`."""
    shape = volumes.shape
    volumes = tf.transpose(volumes, tf.concat([turn.order, [3]], axis=0))
    flipped = tf.concat([turn.flipped, [False]], axis=0)
    return tf.ensure_shape(tf.raw_ops.Reverse(tensor=volumes, dims=flipped), shape)


def make_example(
    stored, errors, seed, training, measured_fields=0.0, strong_sources=0.0
):
    """Inputs and target of the network from a stored example.

    Args:
        stored: dict of `susceptibility` float32 `(x, y, z)` [ppm], `mask` uint8,
            `white_matter` uint8 (255 is a fraction of 1), `voxel_size` float32 `(3,)`
            [mm]; for measured fields also `local_field` float32 `(x, y, z)` [ppm] and
            `b0_direction` float32 `(3,)`.
        errors: `FieldErrors`, of simulated fields.
        seed: integer `(2,)`.
        training: bool; True also draws flips and axis swaps, and the voxel sizes of
            simulated fields.
        measured_fields: float in [0, 1], how probable the measured field is in
            training; otherwise it is taken unless this is 0. Defaults to 0.
        strong_sources: float in [0, 1], how probable a strong source is in training,
            where the field is simulated. Defaults to 0.

    Returns:
        Inputs of `SpiNetQSM` without the batch axis, and the true susceptibility
        float32 `(x, y, z, 1)` [ppm].
    """
    strong_sources = strong_sources if training else 0.0
    if not measured_fields:
        return _simulated_example(stored, errors, Seeds(seed), training, strong_sources)
    if not training or measured_fields == 1:
        return _measured_example(stored, Seeds(seed), training)
    seeds = Seeds(seed)
    seed = seeds.next()
    return tf.cond(
        seeds.uniform() < measured_fields,
        lambda: _measured_example(stored, Seeds(seed), training),
        lambda: _simulated_example(
            stored, errors, Seeds(seed), training, strong_sources
        ),
    )


def _simulated_example(stored, errors, seeds, training, strong_sources):
    """With a field that is simulated, in a geometry of its own."""
    voxel_size = stored["voxel_size"]
    volumes = tf.stack(
        [
            stored["susceptibility"],
            tf.cast(stored["mask"], tf.float32),
            tf.cast(stored["white_matter"], tf.float32) / 255,
        ],
        axis=-1,
    )
    if training:
        turn = random_turn(volumes.shape, seeds)
        volumes = turned(volumes, turn)
        voxel_size = tf.gather(voxel_size, turn.order)
        voxel_size *= tf.exp(seeds.uniform(-0.2, 0.2, (3,)))
    susceptibility, mask, white_matter = tf.unstack(volumes, axis=-1)
    if strong_sources:
        susceptibility, white_matter = with_strong_source(
            susceptibility, mask, white_matter, voxel_size, strong_sources, seeds
        )
    b0_direction = random_b0_direction(seeds)
    field = realistic_field(
        susceptibility, mask, white_matter, voxel_size, b0_direction, errors, seeds
    )
    return _example(susceptibility, field, mask, voxel_size, b0_direction)


def _measured_example(stored, seeds, training):
    """With the field that was measured, in the geometry that it was measured in."""
    voxel_size, b0_direction = stored["voxel_size"], stored["b0_direction"]
    mask = tf.cast(stored["mask"], tf.float32)
    volumes = tf.stack([stored["susceptibility"], stored["local_field"], mask], axis=-1)
    if training:
        turn = random_turn(volumes.shape, seeds)
        volumes = turned(volumes, turn)
        voxel_size = tf.gather(voxel_size, turn.order)
        b0_direction = tf.gather(b0_direction, turn.order)
        b0_direction *= tf.where(turn.flipped, -1.0, 1.0)
    return _example(*tf.unstack(volumes, axis=-1), voxel_size, b0_direction)


def _example(susceptibility, local_field, mask, voxel_size, b0_direction):
    inputs = {
        "local_field": local_field[..., tf.newaxis],
        "mask": mask[..., tf.newaxis],
        "voxel_size": voxel_size,
        "b0_direction": b0_direction,
    }
    return inputs, susceptibility[..., tf.newaxis]
