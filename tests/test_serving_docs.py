"""The Python of `docs/serving.md`, run as it stands."""

import re
import textwrap
from concurrent import futures

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from benchmarks.agreement import relative_error
from spinet_tf.serving.saved_model import export_saved_model, load
from tests.conftest import ROOT
from tests.test_deploy import message_classes
from tests.test_model import small_model

SIZE = (10, 12, 11)
SERVER = "localhost:8500"


def snippet(first_line):
    """The indented block of the document that starts with a line."""
    text = (ROOT / "docs" / "serving.md").read_text()
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    (code,) = (
        block[block.index(first_line) :]
        for block in map(textwrap.dedent, blocks)
        if first_line in block
    )
    return code


class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """As much of TF-Serving as one call needs."""

    def __init__(self, model):
        self.run = model.signatures["serving_default"]
        self.names = []

    def Predict(self, request, context):  # noqa: N802
        self.names.append(request.model_spec.name)
        inputs = {
            name: tf.constant(tf.make_ndarray(value))
            for name, value in request.inputs.items()
        }
        response = predict_pb2.PredictResponse()
        for name, value in self.run(**inputs).items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return response


def test_the_client(tmp_path, monkeypatch):
    model = small_model()
    servicer = Servicer(load(export_saved_model(model, tmp_path / "served")))
    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        servicer, server
    )
    port = server.add_insecure_port("localhost:0")
    server.start()

    monkeypatch.chdir(tmp_path)
    mask = np.zeros(SIZE)
    mask[1:-1, 2:-2, 1:-2] = 1
    field = 0.02 * mask * np.random.default_rng(0).standard_normal(SIZE)
    np.save("field.npy", field)
    np.save("mask.npy", mask)
    code = snippet("import grpc\n")
    assert SERVER in code
    found = {}
    try:
        exec(code.replace(SERVER, f"localhost:{port}"), found)
    finally:
        server.stop(None).wait()

    assert servicer.names == ["spinet_qsm"]
    expected = model(
        {
            "local_field": field[np.newaxis, ..., np.newaxis].astype("float32"),
            "mask": mask[np.newaxis, ..., np.newaxis].astype("float32"),
            "voxel_size": np.ones((1, 3), "float32"),
            "b0_direction": np.float32([[0, 0, 1]]),
        }
    )
    assert relative_error(found["chi"], expected[0, ..., 0].numpy()) <= 1e-5


def test_the_protoset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(snippet("from google.protobuf.descriptor_pb2 import"), {})
    content = (tmp_path / "serving.protoset").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(content).file:
        pool.Add(file)
    predict = pool.FindServiceByName("tensorflow.serving.PredictionService")
    status = pool.FindServiceByName("tensorflow.serving.ModelService")
    assert "Predict" in predict.methods_by_name
    assert "GetModelStatus" in status.methods_by_name


def test_the_ssl_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pem = "-----BEGIN {0}-----\nAA+/==\n-----END {0}-----\n"
    (tmp_path / "server.key").write_text(pem.format("PRIVATE KEY"))
    (tmp_path / "server.crt").write_text(pem.format("CERTIFICATE"))
    exec(snippet("import json\n"), {})
    written = (tmp_path / "ssl.config").read_text() + "client_verify: true\n"
    config = text_format.Parse(written, message_classes()["SSLConfig"]())
    assert config.server_key == pem.format("PRIVATE KEY")
    assert config.server_cert == pem.format("CERTIFICATE")
