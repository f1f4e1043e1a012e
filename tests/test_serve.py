"""`spinet-qsm serve` under faults, load and a new version, and its flags."""

import concurrent.futures
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import grpc
import numpy as np
import psutil
import pytest
import tensorflow as tf
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_metadata_pb2

from benchmarks.agreement import relative_error
from spinet_tf.errors import InputError
from spinet_tf.serving.client import RemoteReconstructor
from spinet_tf.serving.model_store import ModelStore
from spinet_tf.serving.served_model import ServedModel
from spinet_tf.serving.warmup import WARMUP_FILE
from tests import command_line
from tests.conftest import ROOT
from tests.served import (
    export_small_model,
    in_keras,
    predict,
    predict_request,
    request,
    server_process,
)
from tests.test_model_server import status_of

SMALL_LIMITS = ["--max-voxels=300000", "--max-message-mb=8"]


@pytest.fixture(scope="module")
def server(exported):
    with server_process(exported[1].parent, *SMALL_LIMITS) as (process, address):
        yield process, address


@pytest.fixture
def address(server, exported):
    """The server's address; it must answer rightly after whatever the test did."""
    yield server[1]
    inputs = request()
    response = predict(server[1], predict_request(inputs))
    found = tf.make_ndarray(response.outputs["susceptibility"])
    assert relative_error(found, in_keras(exported[0], inputs)) <= 1e-5


def repeated_value(shape):
    """A tensor of a few bytes that claims to be of any size."""
    message = predict_request(request())
    tensor = message.inputs["local_field"]
    tensor.Clear()
    tensor.dtype = tf.float32.as_datatype_enum
    tensor.float_val.append(1.0)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return message


def short_content():
    message = predict_request(request())
    message.inputs["mask"].tensor_content = b"1234"
    return message


def unknown_dtype():
    message = predict_request(request())
    message.inputs["mask"].dtype = 9999
    return message


BROKEN = {
    "nothing": (b"", "NOT_FOUND", "model"),
    "noise": (b"\xff" * 100, "INVALID_ARGUMENT", "PredictRequest"),
    "truncated": (
        predict_request(request()).SerializeToString()[:-1000],
        "INVALID_ARGUMENT",
        "PredictRequest",
    ),
    "bomb": (repeated_value((1, 10**5, 10**5, 10**5)), "RESOURCE_EXHAUSTED", "300000"),
    "negative": (repeated_value((1, -5, 5, 5)), "INVALID_ARGUMENT", "-5"),
    "short": (short_content(), "INVALID_ARGUMENT", "got 4"),
    "axes": (repeated_value((1,) * 100), "INVALID_ARGUMENT", "100"),
    "nothing, hugely": (repeated_value((0, 2**62, 2**62, 1)), "RESOURCE_EXHAUSTED", ""),
    "a value for none": (repeated_value((0, 5, 5, 5)), "INVALID_ARGUMENT", "0 values"),
    "dtype": (unknown_dtype(), "INVALID_ARGUMENT", "9999"),
    "too large": (
        predict_request(request((100, 60, 51), batch=1)),
        "RESOURCE_EXHAUSTED",
        "300000",
    ),
    "long message": (b"\0" * (9 * 2**20), "RESOURCE_EXHAUSTED", "8388608"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_messages(address, case):
    message, code, words = BROKEN[case]
    found, details = status_of(address, message)
    assert (found.name, words in details) == (code, True), details


LARGE = (40, 40, 40)


def test_request_without_a_deadline(address):
    assert predict(address, predict_request(request()), timeout=None).outputs


def test_deadline(address, exported):
    message = predict_request(request(LARGE))
    predict(address, message)
    assert status_of(address, message, timeout=0.02)[0].name == "DEADLINE_EXCEEDED"
    # What the client sees is its own clock; the graph has to stop as well.
    model = ServedModel(exported[1])
    with pytest.raises(tf.errors.DeadlineExceededError):
        model.run("serving_default", request(LARGE), seconds=0.01)


def test_clients_gone_while_they_wait_and_while_they_are_served(address):
    with contextlib.ExitStack() as stack:
        for n in range(20):  # more than may wait at the same time
            channel = stack.enter_context(grpc.insecure_channel(address))
            call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            pending = call.future(predict_request(request(LARGE)).SerializeToString())
            time.sleep(0.02 * (n % 5))
            pending.cancel()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(grpc.RpcError):
            predict(address, predict_request(request()))
            return
    pytest.fail("those who have gone still hold places")


def test_connection_cut_in_the_middle_of_a_request(address):
    host, port = address.split(":")
    with socket.create_server((host, 0)) as proxy:
        channel = grpc.insecure_channel(f"{host}:{proxy.getsockname()[1]}")
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        pending = call.future(b"x" * 2**20, timeout=20)
        client, _ = proxy.accept()
        with client, socket.create_connection((host, int(port))) as server_side:
            forward = threading.Thread(target=answer_back, args=(server_side, client))
            forward.start()
            sent = 0
            while sent < 100_000:
                received = client.recv(16_384)
                server_side.sendall(received)
                sent += len(received)
            server_side.shutdown(socket.SHUT_RDWR)
            forward.join()
        proxy.close()
        assert pending.exception() is not None
        channel.close()


def answer_back(server_side, client):
    with contextlib.suppress(OSError):
        while received := server_side.recv(16_384):
            client.sendall(received)


def test_sixteen_clients_get_their_own_answers(address, exported):
    sizes = [(9 + n % 4, 10, 7) for n in range(16)]
    requests = [request(size, seed) for seed, size in enumerate(sizes)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        responses = list(
            pool.map(lambda r: predict(address, predict_request(r)), requests)
        )
    for inputs, response in zip(requests, responses, strict=True):
        found = tf.make_ndarray(response.outputs["susceptibility"])
        assert relative_error(found, in_keras(exported[0], inputs)) <= 1e-5


def test_more_than_may_wait_are_refused(exported):
    flags = ["--max-waiting=2"]
    with server_process(exported[1].parent, *flags) as (_, address):
        message = predict_request(request(LARGE))

        def code(_):
            try:
                predict(address, message)
            except grpc.RpcError as error:
                return error.code().name
            return "OK"

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            codes = list(pool.map(code, range(12)))
        assert set(codes) == {"OK", "RESOURCE_EXHAUSTED"}
        assert code(0) == "OK"


def test_memory_after_mixed_requests(server, address):
    process = psutil.Process(server[0].pid)
    good = predict_request(request((40, 40, 19)))  # 0.8 MB, kept eight times a round
    bad = [message for message, _, _ in BROKEN.values()]

    def round_of_requests():
        for message in [*bad, *[good] * 8]:
            try:
                predict(address, message)
            except grpc.RpcError:
                assert message is not good
        return process.memory_info().rss

    for _ in range(3):
        warm = round_of_requests()
    for _ in range(12):
        end = round_of_requests()
    # 12 rounds send 110 MB of good requests and as much of bad ones.
    assert end <= warm + 40 * 2**20


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


def test_health(address):
    with grpc.insecure_channel(address) as channel:
        response = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=20
        )
    assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_tls(exported, tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    key, chain, trusted = (tmp_path / name for name in ("key", "chain", "ca"))
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(chain)
    authority.cert_pem.write_to_path(trusted)
    flags = [f"--tls-key={key}", f"--tls-cert={chain}"]
    with server_process(exported[1].parent, *flags) as (_, address):
        assert RemoteReconstructor(address, tls_ca=trusted.read_bytes()).version == 1
        other = trustme.CA().cert_pem.bytes()
        for wrong in (other, None):
            with pytest.raises(InputError, match="UNAVAILABLE|DEADLINE"):
                RemoteReconstructor(address, tls_ca=wrong, timeout=5)


METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"


class Flaky(grpc.GenericRpcHandler):
    """Has a model's metadata; fails the first predictions with a status."""

    def __init__(self, metadata, code, failures):
        self.metadata, self.code, self.failures = metadata, code, failures
        self.calls = 0

    def service(self, handler_call_details):
        if handler_call_details.method == METADATA:
            return grpc.unary_unary_rpc_method_handler(lambda *_: self.metadata)
        return grpc.unary_unary_rpc_method_handler(self._predict)

    def _predict(self, request, context):
        self.calls += 1
        if self.calls <= self.failures:
            context.abort(self.code, "not now")
        context.abort(grpc.StatusCode.NOT_FOUND, "at last")


@pytest.fixture
def metadata(address):
    message = get_model_metadata_pb2.GetModelMetadataRequest()
    message.model_spec.name = "spinet_qsm"
    message.metadata_field.append("signature_def")
    with grpc.insecure_channel(address) as channel:
        return channel.unary_unary(METADATA)(message.SerializeToString())


@pytest.mark.parametrize(
    ("code", "calls"), [("UNAVAILABLE", 3), ("INTERNAL", 1), ("RESOURCE_EXHAUSTED", 1)]
)
def test_only_what_is_unavailable_is_tried_again(metadata, code, calls):
    handler = Flaky(metadata, grpc.StatusCode[code], failures=2)
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(1),
        options=[("grpc.max_receive_message_length", -1)],
    )
    server.add_generic_rpc_handlers([handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    remote = RemoteReconstructor(f"127.0.0.1:{port}")
    with pytest.raises(InputError, match="at last" if calls > 1 else code):
        remote.predict(request((100, 90, 80), batch=1))
    server.stop(None)
    assert handler.calls == calls


def test_command_line(address, exported, tmp_path):
    field = command_line.write(tmp_path / "field.nii.gz", command_line.susceptibility())
    mask = command_line.mask().astype(np.uint8)
    mask = command_line.write(tmp_path / "mask.nii.gz", mask)
    flags = {"field": field, "mask": mask, "iterates": tmp_path / "iterates"}
    output = tmp_path / "chi.nii.gz"
    result = command_line.succeed("reconstruct", server=address, output=output, **flags)
    assert "data-consistency error" in result.out
    sidecar = command_line.read_json(tmp_path / "chi.json")
    assert sidecar["Server"] == address
    assert (sidecar["Model"], sidecar["ModelVersion"]) == ("spinet_qsm", 1)
    last = command_line.read(tmp_path / "iterates" / "unroll-2.nii.gz")
    np.testing.assert_array_equal(command_line.read(output), last)


def refused(*words):
    result = command_line.run_words(*words)
    assert result.exit_code == 2
    assert result.err.count("\n") == 1
    assert result.err.startswith("spinet-qsm: error: ")
    return result.err


def test_command_line_without_a_server(tmp_path):
    field = command_line.write(tmp_path / "field.nii.gz", command_line.susceptibility())
    flags = [f"--field={field}", f"--mask={field}", f"--output={tmp_path / 'chi.nii'}"]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        message = refused("reconstruct", f"--server={address}", "--timeout=1", *flags)
    assert address in message
    for extra in ("--model=x.keras", "--precision=bfloat16", "--method=tkd"):
        assert "--server" in refused("reconstruct", "--server=x:1", extra, *flags)
    assert "--tls-ca" in refused("reconstruct", "--tls-ca=x", *flags)
    (tmp_path / "ca").touch()
    empty = refused(
        "reconstruct", "--server=x:1", f"--tls-ca={tmp_path / 'ca'}", *flags
    )
    assert "ca: expected PEM certificates" in empty
    assert "--timeout" in refused("reconstruct", "--timeout=0", *flags)


def test_serve_refuses(tmp_path, exported):
    model_dir = f"--model-dir={exported[1].parent}"
    assert "missing: no such folder" in refused(
        "serve", f"--model-dir={tmp_path / 'missing'}"
    )
    assert "version directories" in refused("serve", f"--model-dir={tmp_path}")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("no graph")
    message = refused("serve", f"--model-dir={tmp_path}")
    # Its kind, and what it says.
    assert re.search(r"wrote; version 1 cannot be loaded: \w+: .{9}", message)
    assert "go together" in refused("serve", model_dir, "--tls-key=x")
    assert "x: cannot be read" in refused(
        "serve", model_dir, "--tls-key=x", "--tls-cert=x"
    )
    for flag, expected in (
        ("--port=99999", "expected 0 to 65535, got '99999'"),
        ("--max-voxels=0", "expected an integer > 0, got '0'"),
    ):
        result = command_line.run_words("serve", model_dir, flag)
        assert result.exit_code == 2
        assert result.err.count("\n") == 1
        assert expected in result.err


def test_serve_refuses_a_port_in_use(address, exported):
    port = address.split(":")[1]
    message = refused("serve", f"--model-dir={exported[1].parent}", f"--port={port}")
    assert f"127.0.0.1:{port}: cannot be listened on" in message


def test_ends_at_a_signal_that_another_thread_takes(tmp_path):
    code = """
import signal, threading, time
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
from spinet_cli.main import main
main()
"""
    export_small_model(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", code, "serve", f"--model_dir={tmp_path}", "--port=0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        # Any value keeps the program from restarting, which would end the thread.
        env={**os.environ, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"},
    ) as process:
        try:
            assert process.stdout.readline().startswith(b"serving")
            process.terminate()
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
