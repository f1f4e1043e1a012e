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


class Unavailable(Exception):
    """What a stub is when it cannot answer."""


class Stub(grpc.GenericRpcHandler):
    """A server whose model gives these outputs, and a map after some seconds."""

    def __init__(self, outputs=REPORT, size=(1, 2, 2, 2), seconds=0.0):
        self.outputs, self.size, self.seconds = outputs, size, seconds

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
        for size in (-1, 2):
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
        chi = tf.make_tensor_proto(np.zeros(self.size, np.float32))
        response.outputs["susceptibility"].CopyFrom(chi)
        return response.SerializeToString()


@pytest.fixture
def stub():
    """Starts a stub; gives its address."""
    servers = []

    def start(**options):
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers([Stub(**options)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(None)


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
        remote.predict({"mask": np.ones(1, np.float32)})
    assert calls == ["metadata"] * 3 + ["map"] * 3


def test_a_large_answer_of_a_newer_version(stub):
    remote = RemoteReconstructor(stub(size=(1, 104, 104, 104)))
    assert (remote.version, remote.unrolls) == (1, 2)
    found = remote.predict({"mask": np.ones(1, np.float32)})["susceptibility"]
    assert found.nbytes > 4 * 2**20
    assert remote.version == 2


def test_a_server_that_takes_too_long(stub):
    remote = RemoteReconstructor(stub(seconds=1.2), timeout=20)
    assert remote._timeout == 20
    remote._timeout = 0.3  # the first call connects, too
    with pytest.raises(InputError, match="DEADLINE_EXCEEDED"):
        remote.predict({"mask": np.ones(1, np.float32)})


def test_a_model_without_the_outputs_is_named(stub):
    address = stub(outputs=REPORT - {"data_consistency"})
    with pytest.raises(InputError, match="'spinet_qsm' is not a SpiNet-QSM model"):
        RemoteReconstructor(address)
