"""A model server and the versions in its folder."""

import concurrent.futures
import json
import os
import shutil
import threading
import time
from types import SimpleNamespace

import pytest
import tensorflow as tf

from benchmarks.agreement import relative_error
from spinet_tf.errors import InputError
from spinet_tf.serving.model_store import ModelStore
from spinet_tf.serving.warmup import WARMUP_FILE
from tests.served import (
    export_small_model,
    in_keras,
    predict,
    predict_request,
    request,
    server_process,
)
from tests.test_model_server import status_of
from tests.waiting import wait_until


def test_new_version_takes_over_under_load(tmp_path):
    models = {1: export_small_model(tmp_path, seed=1)[0]}
    inputs = request()
    seen, stop = [], threading.Event()

    def client(address):
        while not stop.is_set():
            response = predict(address, predict_request(inputs))
            found = tf.make_ndarray(response.outputs["susceptibility"])
            seen.append((response.model_spec.version.value, found))

    with (
        server_process(tmp_path) as (_, address),
        concurrent.futures.ThreadPoolExecutor(3) as pool,
    ):
        clients = [pool.submit(client, address) for _ in range(3)]
        try:
            (tmp_path / "2").mkdir()  # not a model: passed over
            models[3] = export_small_model(tmp_path, seed=2)[0]
            deadline = time.monotonic() + 120
            while not (seen and seen[-1][0] == 3) and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            stop.set()
        for finished in clients:
            finished.result()
        code, _ = status_of(address, predict_request(inputs, version=1))
        assert code.name == "NOT_FOUND"
    assert {version for version, _ in seen} == {1, 3}
    expected = {version: in_keras(model, inputs) for version, model in models.items()}
    for version, found in seen:
        assert relative_error(found, expected[version]) <= 1e-5


def test_version_that_fails_to_warm_up_is_passed_over(exported, tmp_path):
    for version in ("1", "2"):
        shutil.copytree(exported[1], tmp_path / version)
    with tf.io.TFRecordWriter(str(tmp_path / "2" / WARMUP_FILE)) as writer:
        writer.write(b"\xff" * 10)
    store = ModelStore(tmp_path)
    assert store.current.version == 1
    shutil.copytree(exported[1], tmp_path / "3")
    store.refresh()
    assert store.current.version == 3


@pytest.fixture
def store_of(monkeypatch, tmp_path):
    """Makes a `ModelStore` of these versions; a file `bad` in one fails to load."""
    from spinet_tf.serving import model_store

    def load(folder):
        if (folder / "bad").exists():
            raise OSError("no graph")
        return SimpleNamespace(version=int(folder.name))

    monkeypatch.setattr(model_store, "ServedModel", load)

    def make(*names):
        for name in names:
            (tmp_path / "base" / name).mkdir(parents=True)
        return model_store.ModelStore(tmp_path / "base"), tmp_path / "base"

    return make


def test_a_model_of_another_kind_is_passed_over(exported, tmp_path):
    shutil.copytree(exported[1], tmp_path / "1")
    other = tf.Module()
    other.double = tf.function(
        lambda x: {"y": 2 * x}, [tf.TensorSpec((None,), tf.float32, "x")]
    )
    tf.saved_model.save(other, str(tmp_path / "2"), other.double)
    store = ModelStore(tmp_path)
    assert store.current.version == 1
    shutil.copytree(exported[1], tmp_path / str(2**63))  # protobuf has no room for it
    assert store.refresh() == []
    assert store.current.version == 1
    (tmp_path / "1").rename(tmp_path / "away")
    (tmp_path / str(2**63)).rename(tmp_path / "far")
    message = r"not a SpiNet-QSM model: .* takes \['x'\] and gives \['y'\]"
    with pytest.raises(InputError, match=message):
        ModelStore(tmp_path)


def test_a_bad_version_is_told_of_once(store_of, caplog):
    store, folder = store_of("1")
    (folder / "2" / "bad").mkdir(parents=True)
    assert store.refresh() == ["version 2 cannot be loaded: OSError: no graph"]
    assert "version 2 cannot be loaded: OSError: no graph" in caplog.text
    assert store.refresh() == []
    assert store.current.version == 1


def test_a_bad_version_is_tried_again_when_its_files_change(store_of):
    store, folder = store_of("1", "004")
    bad = folder / "2" / "bad"
    bad.mkdir(parents=True)
    assert len(store.refresh()) == 1
    (bad / "graph").write_text("half of")
    assert len(store.refresh()) == 1
    (bad / "graph").write_text("half of it")
    assert len(store.refresh()) == 1
    assert store.refresh() == []
    (bad / "graph").chmod(0o600)
    assert len(store.refresh()) == 1
    bad.rename(folder / "2" / "good")
    assert store.refresh() == []
    assert store.current.version == 2


def test_a_folder_that_is_away_for_a_moment(store_of, monkeypatch, caplog):
    monkeypatch.setattr("spinet_tf.serving.model_store.POLL_SECONDS", 0.01)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    store, folder = store_of("1")
    away = folder.rename(folder.with_name("away"))
    stop = store.watch()

    try:
        wait_until(lambda: "No such file" in caplog.text)
        (away / "2").mkdir()
        away.rename(folder)
        wait_until(lambda: store.current.version == 2)
    finally:
        stop()


def test_another_export_takes_the_number(tmp_path, monkeypatch):
    from spinet_tf.serving import saved_model

    for name in ("1", ".export-mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(name)
    before = [[], os.listdir(tmp_path)]
    monkeypatch.setattr(saved_model.os, "listdir", lambda _: before.pop(0))
    version = saved_model._publish(tmp_path / ".export-mine", tmp_path)
    assert version == tmp_path / "2"
    assert (version / "content").read_text() == ".export-mine"
    assert (tmp_path / "1" / "content").read_text() == "1"


def test_the_newest_version_is_taken(tmp_path):
    from spinet_tf.serving.local import FACTS, newest_version

    for number in (2, 9, 10):
        (tmp_path / str(number)).mkdir()
        facts = dict.fromkeys(FACTS, number)
        (tmp_path / str(number) / "spinet_qsm.json").write_text(json.dumps(facts))
    version, details = newest_version(tmp_path)
    assert version == tmp_path / "10"
    assert (details["ModelVersion"], details["Lambda"]) == (10, 10)
