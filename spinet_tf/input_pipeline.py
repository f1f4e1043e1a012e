"""Streams of training and validation examples.

The stream is a function of the seed and the position alone, so that a resumed
training sees what an uninterrupted one would have seen.
"""

import contextlib
from typing import NamedTuple

import tensorflow as tf

from spinet_tf.errors import InputError
from spinet_tf.training_example import make_example

NO_BATCH = ("Cannot batch tensors", "Cannot add tensor to the batch")
"""How TensorFlow tells that volumes of a batch are of unlike sizes."""


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
SHUFFLED = 256  # examples in the shuffle buffer, where they fit in
SHUFFLED_BYTES = 2**30


def training_stream(
    stored,
    errors,
    batch_size,
    seed,
    start=0,
    share=WHOLE,
    measured_fields=0.0,
    strong_sources=0.0,
):
    """An endless stream of batches for training.

    Args:
        stored: `tf.data.Dataset` of stored examples, in a fixed order, of known length.
        errors: `FieldErrors`.
        batch_size: int, of the whole batch.
        seed: int.
        start: int, batches to leave out at the beginning. Defaults to 0.
        share: `Share`. Defaults to whole batches.
        measured_fields: as in `make_example`. Defaults to 0.
        strong_sources: as in `make_example`. Defaults to 0.

    Returns:
        `tf.data.Dataset` of (inputs, truth) batches.
    """
    finish = _numbered(
        errors,
        seed,
        training=True,
        measured_fields=measured_fields,
        strong_sources=strong_sources,
    )
    buffer = _shuffle_buffer(stored)

    # A pass has its own seed: with `reshuffle_each_iteration` the order would depend on
    # how many iterators were made before, which differs between strategies.
    def shuffled(number):
        tf.random.set_seed(1)  # of this function's graph, in place of the global one
        return stored.shuffle(buffer, seed + number, reshuffle_each_iteration=False)

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


def validation_batches(stored, errors, seed, measured_fields=0.0):
    """Each stored example once, with the same field every time.

    Args:
        stored: `tf.data.Dataset` of stored examples, in a fixed order.
        errors: `FieldErrors`; None if all fields are measured ones.
        seed: int.
        measured_fields: as in `make_example`. Defaults to 0.

    Returns:
        `tf.data.Dataset` of (inputs, truth) batches of one.
    """
    finish = _numbered(errors, seed, training=False, measured_fields=measured_fields)
    return stored.enumerate().map(finish).batch(1).prefetch(1)


def _shuffle_buffer(stored):
    """How many examples are shuffled at a time, by the size of the first of them."""
    spec = stored.element_spec.values()
    if not all(each.shape.is_fully_defined() for each in spec):
        # Volumes of a data set may be of unlike sizes, but hardly very unlike.
        spec = next(iter(stored)).values()
    of_one = sum(each.shape.num_elements() * each.dtype.size for each in spec)
    return max(1, min(SHUFFLED, SHUFFLED_BYTES // of_one))


def _numbered(errors, seed, **options):
    """`make_example` of a number in the stream, which its seed comes from."""

    def finish(index, example):
        return make_example(example, errors, tf.stack([seed, index]), **options)

    return finish
