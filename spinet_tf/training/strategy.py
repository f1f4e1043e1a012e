"""Where a training runs: this process, its devices, or several processes."""

import json
import os

import tensorflow as tf

from spinet_tf.errors import InputError

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
        workers = config["cluster"]["worker"]
        index = config["task"]["index"]
        good = config["task"]["type"] == "worker" and 0 <= index < len(workers)
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


def workers_and_index(strategy):
    """Number of processes that read data, and which of them this one is."""
    if not is_multi_worker(strategy):
        return 1, 0
    resolver = strategy.cluster_resolver
    return len(resolver.cluster_spec().as_dict()["worker"]), resolver.task_id


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
