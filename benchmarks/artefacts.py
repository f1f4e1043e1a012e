"""What can be made of a network: who can load it, size, time and error.

    python -m benchmarks.artefacts

Times are the best of some rounds; in each round every artefact has its turn, and the
server runs on the same cores as everything else. Errors are relative L2 differences
to the network itself in float32.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from absl import flags

from spinet_cli.script import run_script


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


def size_on_disk(path):
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def head_inputs(size):
    """The local field of a digital head, a batch of one."""
    import numpy as np

    from spinet_tf.phantom import digital_head
    from spinet_tf.simulate import simulate_field

    head = digital_head(size)
    b0_direction = (0.1, -0.2, 0.97)
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


def tflite_artefact(folder, model, size, variant):
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    from spinet_tf.serving.tflite import export_tflite

    (path,) = export_tflite(model, folder, [size], variant)
    interpreter = Interpreter(str(path), num_threads=os.cpu_count())
    runner = interpreter.get_signature_runner("serving_default")

    def run(inputs):
        return np.array(runner(**inputs)["susceptibility"][0])

    return Artefact(f"TFLite, {variant}", "LiteRT", path.stat().st_size, run)


def time_in_turns(artefacts, inputs, rounds):
    """Best seconds and the answer of each artefact."""
    answers = [artefact.run(inputs) for artefact in artefacts]
    seconds = [[] for _ in artefacts]
    for _ in range(rounds):
        for artefact, times in zip(artefacts, seconds, strict=True):
            start = time.perf_counter()
            artefact.run(inputs)
            times.append(time.perf_counter() - start)
    return [min(times) for times in seconds], answers


def encoding_seconds(inputs):
    """What the client does to a request and to its answer, without the wire."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    start = time.perf_counter()
    request = predict_pb2.PredictRequest()
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    response = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    tf.make_ndarray(response.inputs["local_field"])
    return time.perf_counter() - start


def main(options):
    import tensorflow as tf

    from benchmarks.agreement import relative_error
    from spinet_tf.model_files import load_model
    from spinet_tf.pretrained import PRETRAINED
    from spinet_tf.serving.saved_model import export_saved_model
    from spinet_tf.serving.tflite import VARIANTS

    tf.get_logger().setLevel("ERROR")
    path = Path(options.model or PRETRAINED)
    model = load_model(path)
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        temporary = Path(temporary)
        folders = {
            precision: export_saved_model(model, temporary / precision, precision)
            for precision in ("float32", "bfloat16")
        }
        any_size = [
            keras_artefact(path),
            *(saved_model_artefact(f, name) for name, f in folders.items()),
            stack.enter_context(served_artefact(folders["float32"])),
        ]
        print(f"{'':20}{'loaded by':26}{'MB':>7}{'size':>6}{'s':>9}{'ratio':>7}  error")
        for edge in map(int, options.sizes):
            size = (edge, edge, edge)
            artefacts = [
                *any_size,
                *(tflite_artefact(temporary, model, size, name) for name in VARIANTS),
            ]
            inputs = head_inputs(size)
            seconds, answers = time_in_turns(artefacts, inputs, options.rounds)
            for artefact, time_taken, answer in zip(
                artefacts, seconds, answers, strict=True
            ):
                print(
                    f"{artefact.name:20}{artefact.loaded_by:26}"
                    f"{artefact.size / 1e6:7.2f}{edge:5}^3{time_taken:9.2f}"
                    f"{time_taken / seconds[0]:7.2f}  "
                    f"{relative_error(answer, answers[0]):.1e}",
                    flush=True,
                )
            print(f"encoding and decoding a request: {encoding_seconds(inputs):.3f} s")


if __name__ == "__main__":
    run_script(define_flags, main)
