"""Where a training runs: this process, its devices, or several processes."""

import contextlib
import json
import os
import zlib

import tensorflow as tf

from spinet_tf.errors import InputError
from spinet_tf.input_pipeline import Share

STRATEGIES = ("none", "mirrored", "multi_worker")


def make_strategy(name):
    """A strategy of TensorFlow's own.

    Args:
        name: "none", "mirrored" (all GPUs of this process, or all its logical CPUs) or
            "multi_worker" (the processes that the variable TF_CONFIG lists).

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        InputError: TF_CONFIG is missing or not what TensorFlow expects.
        ValueError: an unknown name.
    """
    if name not in STRATEGIES:
        raise ValueError(f"name must be one of {STRATEGIES}. Received: {name=}")
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    _check_cluster(os.environ.get("TF_CONFIG", ""))
    return tf.distribute.MultiWorkerMirroredStrategy()


def _check_cluster(text):
    expected = (
        'TF_CONFIG: expected {"cluster": {"worker": ["host:port", ...]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    try:
        config = json.loads(text)
        tf.train.ClusterSpec(config["cluster"])
        (name, workers), *others = config["cluster"].items()
        job, index = config["task"]["type"], config["task"]["index"]
        good = not others and name == job == "worker" and isinstance(workers, list)
        good &= type(index) is int and 0 <= index < len(workers)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{expected}, got {text!r}") from error
    if not good:
        raise InputError(f"{expected}, got {text!r}")


def is_multi_worker(strategy):
    """Whether the strategy spans processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def writes_files(strategy):
    """Whether this process is the one that writes logs, models and checkpoints."""
    return not is_multi_worker(strategy) or strategy.cluster_resolver.task_id == 0


def share_of(strategy):
    """This process's `Share` of every batch under a multi-worker strategy."""
    resolver = strategy.cluster_resolver
    workers = len(resolver.cluster_spec().as_dict()["worker"])
    return Share(workers, resolver.task_id, strategy.num_replicas_in_sync)


def mean_over_replicas(strategy, value):
    """The mean of a number over all replicas; waits until every process is here."""

    @tf.function
    def mean():
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.constant(value))

    results = strategy.experimental_local_results(strategy.run(mean))
    return float(results[0])


@contextlib.contextmanager
def first_process_first(strategy):
    """Let the first process do something before the others, such as build data."""
    if not is_multi_worker(strategy):
        yield
        return
    if not writes_files(strategy):
        mean_over_replicas(strategy, 0.0)
    yield
    if writes_files(strategy):
        mean_over_replicas(strategy, 0.0)


def check_agreement(strategy, asked, completed, folder):
    """Refuse processes that are not of one training, or not at the same place in it.

    Args:
        strategy: `tf.distribute.Strategy`.
        asked: dict of what this process is to train, of what JSON can hold.
        completed: int, epochs that this process found completed.
        folder: path of the run folder.

    Raises:
        InputError: another process has another task or number.
    """
    if not is_multi_worker(strategy):
        return
    # 16 bits: the sum over replicas is exact in float32.
    checksum = zlib.crc32(json.dumps(asked).encode()) & 0xFFFF
    if _differs_elsewhere(strategy, checksum):
        raise InputError(
            "multi_worker: expected all processes to be started with the same flags, "
            "those of this process differ from the others'"
        )
    if _differs_elsewhere(strategy, completed):
        raise InputError(
            f"{folder}: this process sees {completed} epochs completed, others do not; "
            "the run folder must be one that all processes see"
        )


def _differs_elsewhere(strategy, number):
    """Whether a number, below 2^16, is another one in another process."""
    # The mean may be off by its rounding; one of integers is not off by less than this.
    return abs(mean_over_replicas(strategy, float(number)) - number) > 0.01


def check_batch_size(strategy, batch_size):
    """Refuse a global batch that the replicas cannot share evenly.

    Args:
        strategy: `tf.distribute.Strategy`.
        batch_size: int, of the global batch.

    Raises:
        InputError: it is no multiple of the number of replicas.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise InputError(
            f"batch_size: expected a multiple of the {replicas} replicas, "
            f"got {batch_size}"
        )
