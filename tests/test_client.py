"""The client of a server, against stubs of servers."""

import concurrent.futures
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
)

from spinet_tf.errors import InputError
from spinet_tf.serving.client import RemoteReconstructor
from spinet_tf.serving.signatures import INPUTS, REPORT

SIZE = (1, 2, 2, 2)


class Unavailable(Exception):
    """What a stub is when it cannot answer."""


class Stub(grpc.GenericRpcHandler):
    """A server whose model gives these outputs, and a map after some seconds."""

    def __init__(self, outputs=REPORT, size=SIZE, seconds=0.0, unrolls=2, answer=()):
        self.outputs, self.size, self.seconds = outputs, size, seconds
        self.unrolls, self.answer = unrolls, dict(answer)

    def service(self, handler_call_details):
        last = handler_call_details.method.rpartition("/")[2]
        answer = {"GetModelMetadata": self.metadata, "Predict": self.map}[last]

        def respond(_, context):
            try:
                return answer()
            except Unavailable:
                context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

        return grpc.unary_unary_rpc_method_handler(respond)

    def metadata(self):
        signatures = get_model_metadata_pb2.SignatureDefMap()
        signature = signatures.signature_def["serving_default"]
        for name in INPUTS:
            signature.inputs[name].name = name
        for name in self.outputs:
            signature.outputs[name].name = name
        for size in (-1, self.unrolls):
            shape = signature.outputs["solver_iterations"].tensor_shape
            shape.dim.add(size=size)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.version.value = 1
        response.metadata["signature_def"].Pack(signatures)
        return response.SerializeToString()

    def map(self):
        time.sleep(self.seconds)
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = 2
        results = {
            "susceptibility": np.zeros(self.size, np.float32),
            "solver_iterations": np.int32([[3, 3]]),
            "solver_residual": np.float32([[1e-5, 1e-5]]),
            "data_consistency": np.float32([0.3]),
        }
        for name, value in {**results, **self.answer}.items():
            if value is not None:
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response.SerializeToString()


@pytest.fixture
def stub():
    """Starts a stub; gives its address."""
    servers = []

    def start(**options):
        server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(2),
            options=[("grpc.max_receive_message_length", -1)],
        )
        server.add_generic_rpc_handlers([Stub(**options)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(None)


def field(size=SIZE):
    return {"local_field": np.zeros(size, np.float32)}


def test_no_proxy_is_asked_for_this_machine(stub, monkeypatch):
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    address = stub()
    assert RemoteReconstructor(address, timeout=20).version == 1
    for name in ("LocalHost", "dns:///localhost", "ipv4:127.0.0.1"):
        local = address.replace("127.0.0.1", name)
        assert RemoteReconstructor(local, timeout=20).version == 1


def test_a_request_of_two_gigabytes(stub):
    remote = RemoteReconstructor(stub())
    volume = np.broadcast_to(np.float32(1), (1, 800, 800, 420))
    with pytest.raises(InputError, match="field: .* 2 GiB, this volume takes more"):
        remote.predict({"local_field": volume, "mask": volume})


def test_a_volume_is_sent_three_times_at_most(stub, monkeypatch):
    """One that ends its server should not end five."""
    calls, metadata = [], Stub.metadata

    def answer(name, allowed, then):
        def called(self):
            calls.append(name)
            if calls.count(name) < allowed:
                raise Unavailable
            return then(self)

        return called

    monkeypatch.setattr(Stub, "metadata", answer("metadata", 3, metadata))
    monkeypatch.setattr(Stub, "map", answer("map", 9, Stub.map))
    remote = RemoteReconstructor(stub(), timeout=20)
    with pytest.raises(InputError, match="UNAVAILABLE: not now"):
        remote.predict(field())
    assert calls == ["metadata"] * 3 + ["map"] * 3


def test_a_large_answer_of_a_newer_version(stub):
    remote = RemoteReconstructor(stub(size=(1, 104, 104, 104)))
    assert (remote.version, remote.unrolls) == (1, 2)
    found = remote.predict(field((1, 104, 104, 104)))["susceptibility"]
    assert found.nbytes > 4 * 2**20
    assert remote.version == 2


def test_a_server_that_takes_too_long(stub):
    remote = RemoteReconstructor(stub(seconds=1.2), timeout=20)
    assert remote._timeout == 20
    remote._timeout = 0.3  # the first call connects, too
    with pytest.raises(InputError, match="DEADLINE_EXCEEDED"):
        remote.predict(field())


def test_a_model_without_the_outputs_is_named(stub):
    address = stub(outputs=REPORT - {"data_consistency"})
    with pytest.raises(InputError, match="'spinet_qsm' is not a SpiNet-QSM model"):
        RemoteReconstructor(address)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"susceptibility": None}, r"it lacks \['susceptibility'\]"),
        (
            {"susceptibility": np.zeros((1, 3, 3, 3), np.float32)},
            r"float32 of the shape \[1, 2, 2, 2\], got float32 of \[1, 3, 3, 3\]",
        ),
        ({"susceptibility": np.full(SIZE, np.nan, np.float32)}, "NaN or infinity"),
        ({"susceptibility": [b"a"]}, "susceptibility: expected float32"),
        ({"solver_iterations": np.int32(3)}, r"solver_iterations: .* \[1, 1\]"),
        ({"solver_residual": np.ones((1, 3), np.float32)}, "solver_residual: expected"),
        ({"solver_residual": np.float32([[0, np.nan]])}, "solver_residual: it holds"),
        ({"solver_iterations": np.zeros((1, 0), np.int32)}, r"int32 of \[1, 0\]"),
        ({"data_consistency": np.float32(1)}, "data_consistency: expected"),
    ],
)
def test_an_answer_that_is_something_else(stub, answer, message):
    remote = RemoteReconstructor(stub(answer=answer))
    with pytest.raises(InputError, match=f"^127.*: cannot use the answer, .*{message}"):
        remote.predict(field())


def test_what_an_answer_has_besides_is_ignored(stub):
    remote = RemoteReconstructor(stub(answer={"more": np.float32(1)}))
    volume = np.zeros(SIZE[1:], np.float32)
    result = remote(volume, volume + 1, (1, 1, 1), (0, 0, 1))
    assert result.susceptibility.shape == SIZE[1:]


def test_an_answer_that_contradicts_itself(stub, monkeypatch):
    def broken(self):
        response = predict_pb2.PredictResponse.FromString(whole(self))
        response.outputs["susceptibility"].tensor_content = b"abc"
        return response.SerializeToString()

    whole = Stub.map
    monkeypatch.setattr(Stub, "map", broken)
    with pytest.raises(InputError, match="cannot use the answer, buffer size"):
        RemoteReconstructor(stub()).predict(field())


def test_metadata_that_do_not_tell_all(stub, monkeypatch):
    with pytest.raises(InputError, match="does not tell its number of unrolls"):
        RemoteReconstructor(stub(unrolls=-1))
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    response.metadata["signature_def"].type_url = url
    response.metadata["signature_def"].value = 3 * bytes([255])
    monkeypatch.setattr(Stub, "metadata", lambda _: response.SerializeToString())
    with pytest.raises(InputError, match="not a SpiNet-QSM model"):
        RemoteReconstructor(stub())
