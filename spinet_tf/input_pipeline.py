"""Training examples: stored susceptibility maps, local fields simulated on the fly.

The stream is a function of the seed and the position alone, so that a resumed
training sees what an uninterrupted one would have seen.
"""

import contextlib
from typing import NamedTuple

import tensorflow as tf

from spinet_tf.errors import InputError
from spinet_tf.field_simulation import Seeds, random_b0_direction, realistic_field

NO_BATCH = ("Cannot batch tensors", "Cannot add tensor to the batch")
"""How TensorFlow tells that volumes of a batch are of unlike sizes."""
AXIS_ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def augment(volumes, voxel_size, seeds):
    """Flip and swap the axes of volumes at random, and their voxel size with them.

    B0 is drawn after this, in the new axes.

    Args:
        volumes: float32 `(x, y, z, volume)`. Axes of different lengths, where these are
            known, are not swapped.
        voxel_size: float32 `(3,)` [mm].
        seeds: `Seeds`.

    Returns:
        The volumes and the voxel size.
    """
    shape = volumes.shape
    orders = [
        order for order in AXIS_ORDERS if [shape[i] for i in order] == [*shape[:3]]
    ]
    number = tf.cast(seeds.uniform(0.0, float(len(orders))), tf.int32)
    order = tf.gather(orders, number)
    volumes = tf.transpose(volumes, tf.concat([order, [3]], axis=0))
    flipped = tf.concat([seeds.uniform(shape=(3,)) < 0.5, [False]], axis=0)
    volumes = tf.raw_ops.Reverse(tensor=volumes, dims=flipped)
    return tf.ensure_shape(volumes, shape), tf.gather(voxel_size, order)


def make_example(stored, errors, seed, training):
    """Inputs and target of the network from a stored example.

    Args:
        stored: dict of `susceptibility` float32 `(x, y, z)` [ppm], `mask` uint8,
            `white_matter` uint8 (255 is a fraction of 1), `voxel_size` float32 `(3,)`
            [mm].
        errors: `FieldErrors`.
        seed: integer `(2,)`.
        training: bool; True also draws flips, axis swaps and voxel sizes.

    Returns:
        Inputs of `SpiNetQSM` without the batch axis, and the true susceptibility
        float32 `(x, y, z, 1)` [ppm].
    """
    seeds = Seeds(seed)
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
        volumes, voxel_size = augment(volumes, voxel_size, seeds)
        voxel_size *= tf.exp(seeds.uniform(-0.2, 0.2, (3,)))
    susceptibility, mask, white_matter = tf.unstack(volumes, axis=-1)
    b0_direction = random_b0_direction(seeds)
    field = realistic_field(
        susceptibility, mask, white_matter, voxel_size, b0_direction, errors, seeds
    )
    inputs = {
        "local_field": field[..., tf.newaxis],
        "mask": mask[..., tf.newaxis],
        "voxel_size": voxel_size,
        "b0_direction": b0_direction,
    }
    return inputs, susceptibility[..., tf.newaxis]


class Share(NamedTuple):
    """Whose part of every batch a stream holds.

    Attributes:
        workers: int, processes that share the batches.
        index: int, which of them this one is.
        replicas: int, in how many pieces a batch comes, those of all processes.
    """

    workers: int
    index: int
    replicas: int


WHOLE = Share(1, 0, 1)


def training_stream(
    stored, errors, batch_size, seed, start=0, shuffle=256, share=WHOLE
):
    """An endless stream of batches for training.

    Args:
        stored: `tf.data.Dataset` of stored examples, in a fixed order.
        errors: `FieldErrors`.
        batch_size: int, of the whole batch.
        seed: int.
        start: int, batches to leave out at the beginning. Defaults to 0.
        shuffle: int, examples in the shuffle buffer. Defaults to 256.
        share: `Share`. Defaults to whole batches.

    Returns:
        `tf.data.Dataset` of (inputs, truth) batches.
    """

    def finish(index, example):
        return make_example(example, errors, tf.stack([seed, index]), training=True)

    # A pass has its own seed: with `reshuffle_each_iteration` the order would depend on
    # how many iterators were made before, which differs between strategies.
    def shuffled(number):
        tf.random.set_seed(1)  # of this function's graph, in place of the global one
        return stored.shuffle(shuffle, seed + number, reshuffle_each_iteration=False)

    whole_passes, rest = divmod(start * batch_size, len(stored))
    passes = tf.data.Dataset.counter(whole_passes).flat_map(shuffled)
    examples = passes.enumerate(whole_passes * len(stored)).skip(rest)
    return (
        examples.shard(share.workers, share.index)
        .map(finish, num_parallel_calls=1, deterministic=True)
        .batch(batch_size // share.replicas, drop_remainder=True)
        .prefetch(4)
    )


@contextlib.contextmanager
def sizes_that_batch(batch_size):
    """Tell what is wrong where volumes of a stream cannot be one batch.

    Args:
        batch_size: int, of the whole batch.

    Raises:
        InputError: the volumes of a batch are of unlike sizes.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if not any(told in error.message for told in NO_BATCH):
            raise
        raise InputError(
            "batch_size: expected one volume for each replica, as they are of unlike"
            f" sizes, got {batch_size}"
        ) from error


def validation_batches(stored, errors, seed):
    """Each stored example once, with the same field every time.

    Args:
        stored: `tf.data.Dataset` of stored examples, in a fixed order.
        errors: `FieldErrors`.
        seed: int.

    Returns:
        `tf.data.Dataset` of (inputs, truth) batches of one.
    """

    def finish(index, example):
        return make_example(example, errors, tf.stack([seed, index]), training=False)

    return stored.enumerate().map(finish).batch(1).prefetch(1)
