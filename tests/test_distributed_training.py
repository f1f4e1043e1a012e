"""Several devices and several processes train the network that one trains alone."""

import csv
import json
import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.model_files import load_model
from spinet_tf.training.run import train
from spinet_tf.training.strategy import check_batch_size, make_strategy
from tests.conftest import ROOT
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


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


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
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
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
