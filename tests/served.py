"""A small exported network, and a server of it in a process of its own."""

import contextlib
import os
import re
import socket
import subprocess
import sys

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from spinet_tf.serving.saved_model import export_saved_model
from tests.conftest import ROOT
from tests.networks import perturbed_model

GEOMETRY = {
    "voxel_size": np.float32([[1, 1, 1], [0.7, 1.2, 2.0]]),
    "b0_direction": np.float32([[0, 0, 1], [0.3, 0.5, 0.8]]),
}


def export_small_model(folder, seed=0, **options):
    """Write the next version of a small network; returns the network and the folder."""
    model = perturbed_model(seed=seed, fill_outside=True, initial_p=1.6, **options)
    return model, export_saved_model(model, folder, max_voxels=128_000)


def request(size=(9, 10, 7), seed=0, batch=2):
    """A request with different geometries and masks."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((batch, *size), np.float32)
    for sample in range(batch):
        mask[sample, 1 + sample :, 1:-1, sample:-1] = 1
    field = 0.02 * mask * rng.standard_normal(mask.shape)
    geometry = {name: value[:batch] for name, value in GEOMETRY.items()}
    return {"local_field": field.astype(np.float32), "mask": mask, **geometry}


def in_keras(model, inputs):
    """What the network itself answers, `(batch, x, y, z)`."""
    volumes = {n: inputs[n][..., np.newaxis] for n in ("local_field", "mask")}
    return model({**inputs, **volumes})[..., 0].numpy()


def free_ports(count):
    """Ports of this machine that nobody listens on; each is another."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def is_open(address):
    """Whether somebody listens on HOST:PORT."""
    host, port = address.split(":")
    with socket.socket() as sock:
        return sock.connect_ex((host, int(port))) == 0


@contextlib.contextmanager
def server_process(model_dir, *flags):
    """`spinet-qsm serve` on a free port; yields the process and its address."""
    words = ["serve", f"--model_dir={model_dir}", "--port=0", *flags]
    with subprocess.Popen(
        [sys.executable, "-m", "spinet_tf", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    ) as process:
        try:
            line = process.stdout.readline()
            address = re.search(r"on (127\.0\.0\.1:\d+)", line)
            assert address, f"the server did not start: {line!r}"
            yield process, address[1]
        finally:
            process.terminate()
            try:
                assert process.wait(timeout=60) == 0
            finally:
                process.kill()


@contextlib.contextmanager
def tensorflow_model_server(model_dir):
    """TF-Serving's own server; yields the process and its address."""
    (port,) = free_ports(1)
    command = ["tensorflow_model_server", f"--port={port}", "--model_name=spinet_qsm"]
    with subprocess.Popen([*command, f"--model_base_path={model_dir}"]) as process:
        try:
            channel = grpc.insecure_channel(f"127.0.0.1:{port}")
            grpc.channel_ready_future(channel).result(timeout=120)
            yield process, f"127.0.0.1:{port}"
        finally:
            process.terminate()


def predict_request(inputs, **spec):
    """A `PredictRequest`; `spec` are fields of the model spec."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name = spec.pop("name", "spinet_qsm")
    message.model_spec.version.value = spec.pop("version", 0)
    if not message.model_spec.version.value:
        message.model_spec.ClearField("version")
    message.model_spec.signature_name = spec.pop("signature", "serving_default")
    for name, value in inputs.items():
        message.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return message


def predict(address, message, timeout=120):
    """Call Predict with a message or with bytes; returns the response."""
    options = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
    ]
    with grpc.insecure_channel(address, options) as channel:
        call = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )
        if not isinstance(message, bytes):
            message = message.SerializeToString()
        return call(message, timeout=timeout)
