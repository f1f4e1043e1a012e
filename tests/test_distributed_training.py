"""Several devices and several processes train the network that one trains alone."""

import csv
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.errors import InputError
from spinet_tf.input_pipeline import WHOLE, Share
from spinet_tf.model_files import load_model
from spinet_tf.training import multi_worker
from spinet_tf.training import strategy as strategy_module
from spinet_tf.training.run import train
from spinet_tf.training.strategy import (
    check_agreement,
    check_batch_size,
    first_process_first,
    make_strategy,
    share_of,
)
from tests.conftest import ROOT
from tests.served import free_ports
from tests.trainings import RECIPE


def start(name, folder, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.train_small", name, str(folder)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_workers(folder):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": cluster, "task": task})
        yield start("multi_worker", folder, TF_CONFIG=config)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    processes = [
        start("none", folder / "none"),
        start("mirrored", folder / "mirrored"),
        *start_workers(folder / "multi_worker"),
    ]
    try:
        for process in processes:
            output, _ = process.communicate(timeout=300)
            assert process.returncode == 0, output
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return folder


@pytest.mark.parametrize("name", ["mirrored", "multi_worker"])
def test_trains_what_one_process_trains(runs, name):
    alone, shared = (load_model(runs / run / "last.keras") for run in ("none", name))
    for a, b in zip(alone.get_weights(), shared.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
    for a, b in zip(*(rows(runs / run) for run in ("none", name)), strict=True):
        for column in ("loss", "field_loss", "val_nrmse", "p"):
            assert float(a[column]) == pytest.approx(float(b[column]), rel=1e-3)


def test_one_process_of_several_writes(runs):
    checkpoints = runs / "multi_worker" / "checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == ["epoch-2.npz"]
    assert len(rows(runs / "multi_worker")) == 2


def rows(folder):
    with open(folder / "log.csv") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "config",
    [
        "",
        "nonsense",
        '{"cluster": {}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": -1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0.5}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": false}}',
        '{"cluster": {"worker": {"0": "a:1"}}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": [1]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1"], "chief": ["b:1"]},'
        ' "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_cluster_that_is_none(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(InputError, match=r'TF_CONFIG: expected \{"cluster"'):
        make_strategy("multi_worker")


def test_a_batch_that_the_replicas_cannot_share(tmp_path):
    replicas = SimpleNamespace(num_replicas_in_sync=2)
    check_batch_size(replicas, 4)
    recipe = RECIPE._replace(batch_size=3)
    with pytest.raises(InputError, match="a multiple of the 2 replicas, got 3"):
        train(None, None, None, recipe, tmp_path, strategy=replicas)


def worker(index, replicas=2, workers=2):
    """What is asked of the strategy of one process of several."""
    cluster = tf.train.ClusterSpec({"worker": [f"a:{i}" for i in range(workers)]})
    resolver = SimpleNamespace(task_id=index, cluster_spec=lambda: cluster)
    return SimpleNamespace(cluster_resolver=resolver, num_replicas_in_sync=replicas)


@pytest.fixture
def waits(monkeypatch):
    """All that happens, in order."""
    happened = []
    monkeypatch.setattr(strategy_module, "is_multi_worker", lambda _: True)
    monkeypatch.setattr(
        strategy_module,
        "mean_over_replicas",
        lambda *_: happened.append("waits"),
    )
    return happened


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ({"seed": 0}, None),
        ({"seed": 3}, "the same flags, those of this process differ"),
        ({"steps": 8}, "the same flags, those of this process differ"),
        ({"completed": 1}, "run: this process sees 2 epochs completed, others do not"),
    ],
)
def test_processes_are_of_one_training(others, told, tmp_path, monkeypatch):
    """This process is one of three."""
    own, numbers = {"seed": 0, "steps": 4, "completed": 2}, []

    def check(mean, seed, steps, completed):
        monkeypatch.setattr(strategy_module, "is_multi_worker", lambda _: True)
        monkeypatch.setattr(strategy_module, "mean_over_replicas", mean)
        asked = {"seed": seed, "steps": steps}
        check_agreement(worker(0), asked, completed, tmp_path / "run")

    check(lambda _, number: numbers.append(number) or number, **own | others)
    elsewhere = iter(numbers)

    def mean(_, number):
        third = np.float32(1 / 3)
        return float(third * np.float32(number + 2 * next(elsewhere)))

    if told is None:
        check(mean, **own)
    else:
        with pytest.raises(InputError, match=told):
            check(mean, **own)


@pytest.mark.parametrize(
    ("index", "order"), [(0, ["works", "waits"]), (1, ["waits", "works"])]
)
def test_the_first_process_builds_the_data(waits, index, order):
    with first_process_first(worker(index)):
        waits.append("works")
    assert waits == order


def test_a_process_has_its_share():
    assert share_of(worker(1, replicas=6, workers=3)) == Share(3, 1, 6)


def test_the_loop_goes_on_where_it_was_and_tells_what_keras_does(monkeypatch):
    """With a step that gives what it gets: here two batches an epoch, of one number."""
    monkeypatch.setattr(multi_worker, "share_of", lambda _: WHOLE)
    happened = []
    trainer = SimpleNamespace(
        train_step=lambda batch: {"loss": batch},
        reset_metrics=lambda: happened.append("reset"),
        optimizer=SimpleNamespace(
            finalize_variable_values=lambda _: happened.append("averaged")
        ),
        trainable_variables=[],
    )

    class Listener(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            happened.append(epoch)

        def on_train_batch_end(self, batch, logs=None):
            happened.append((batch, logs["loss"]))

        def on_epoch_end(self, epoch, logs=None):
            happened.append((epoch, logs["loss"]))

        def on_train_end(self, logs=None):
            happened.append("end")

    last = multi_worker.fit(
        trainer,
        tf.distribute.get_strategy(),
        lambda share: tf.data.Dataset.from_tensor_slices(tf.range(5.0, 100.0)),
        RECIPE,
        1,
        [Listener()],
        0,
    )
    first = ["reset", 1, (0, 5.0), (1, 6.0), (1, 6.0)]
    second = ["reset", 2, (0, 7.0), (1, 8.0), (2, 8.0)]
    assert happened == [*first, *second, "averaged", "end"]
    assert last.history == {"loss": [6.0, 8.0]}
