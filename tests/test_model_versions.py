"""A model server and the versions in its folder."""

import concurrent.futures
import shutil
import threading
import time

import tensorflow as tf

from benchmarks.agreement import relative_error
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
