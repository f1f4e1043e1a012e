"""`spinet-qsm serve` under faults, load and a new version."""

import concurrent.futures
import contextlib
import socket
import threading
import time

import grpc
import psutil
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.agreement import relative_error
from spinet_tf.serving.served_model import ServedModel
from tests.served import (
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
    "nothing": (b"", "INVALID_ARGUMENT", "a model's name"),
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


def test_health(address):
    with grpc.insecure_channel(address) as channel:
        response = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=20
        )
    assert response.status == health_pb2.HealthCheckResponse.SERVING
