"""What can be made of a network: who can load it, size, time and error.

    python -m benchmarks.artefacts

Times are the best of some rounds; in each round every artefact has its turn, and the
server runs on the same cores as everything else. Errors are relative L2 differences
to the network itself in float32.
"""

import contextlib
import re
import subprocess
import sys
import time
from typing import NamedTuple

from absl import flags


class Artefact(NamedTuple):
    """What is measured.

    Attributes:
        name: str.
        loaded_by: str, who can.
        size: int, bytes on disk.
        run: callable from a dict of arrays, a batch of one, to a susceptibility.
    """

    name: str
    loaded_by: str
    size: int
    run: object


def define_flags():
    flags.DEFINE_string("model", None, "A .keras model; default: the shipped one.")
    flags.DEFINE_list("sizes", "64,160", "Edges of the volumes.")
    flags.DEFINE_integer("rounds", 3, "Rounds of which the best counts.", 1)
    flags.DEFINE_bool("tflite", True, "Whether to measure TFLite files too.")


def size_on_disk(path):
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def head_inputs(edge):
    """The local field of a digital head, a batch of one."""
    import numpy as np

    from spinet_tf.phantom import digital_head
    from spinet_tf.simulate import simulate_field

    head = digital_head((edge, edge, edge))
    b0_direction = np.float32([0.1, -0.2, 0.97])
    field = simulate_field(
        head.susceptibility, head.mask, head.voxel_size, b0_direction, 0.002
    )
    values = {
        "local_field": field,
        "mask": head.mask,
        "voxel_size": head.voxel_size,
        "b0_direction": b0_direction,
    }
    return {k: np.asarray(v, np.float32)[np.newaxis] for k, v in values.items()}


def keras_artefact(path):
    from spinet_tf.model_files import load_model
    from spinet_tf.reconstruct import Reconstructor

    reconstructor = Reconstructor(load_model(path))

    def run(inputs):
        return reconstructor(*(value[0] for value in inputs.values())).susceptibility

    return Artefact(".keras", "Python with this package", size_on_disk(path), run)


def saved_model_artefact(folder, precision):
    import tensorflow as tf

    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]

    def run(inputs):
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        return signature(**tensors)["susceptibility"].numpy()[0]

    name = f"SavedModel, {precision}"
    return Artefact(name, "TensorFlow, TF-Serving", size_on_disk(folder), run)


@contextlib.contextmanager
def served_artefact(folder):
    """The SavedModel in a server process, asked over loopback."""
    from spinet_tf.serving.client import RemoteReconstructor

    words = ["serve", f"--model-dir={folder.parent}", "--port=0"]
    with subprocess.Popen(
        [sys.executable, "-m", "spinet_tf", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        address = re.search(r"on (\S+)$", process.stdout.readline())[1]
        remote = RemoteReconstructor(address)

        def run(inputs):
            return remote.predict(inputs)["susceptibility"][0]

        try:
            yield Artefact("the same over gRPC", "any gRPC client", 0, run)
        finally:
            process.terminate()


def time_in_turns(artefacts, inputs, rounds):
    """Best seconds and the answer of each artefact."""
    answers = {artefact.name: artefact.run(inputs) for artefact in artefacts}
    seconds = {artefact.name: [] for artefact in artefacts}
    for _ in range(rounds):
        for artefact in artefacts:
            start = time.perf_counter()
            artefact.run(inputs)
            seconds[artefact.name].append(time.perf_counter() - start)
    return {name: min(times) for name, times in seconds.items()}, answers


def encoding_seconds(inputs):
    """What the client does to a request and to its answer, without the wire."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    start = time.perf_counter()
    request = predict_pb2.PredictRequest()
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    content = request.SerializeToString()
    response = predict_pb2.PredictRequest.FromString(content)
    tf.make_ndarray(response.inputs["local_field"])
    return time.perf_counter() - start
