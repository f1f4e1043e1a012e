"""What can be made of a network: who can load it, size, time and error.

    python -m benchmarks.artefacts

Digital heads, oblique B0, anisotropic voxels. Times are the fastest of some rounds; in
each round every artefact has its turn, and the server runs on the same cores as
everything else. Ratios are to, and errors relative L2 differences from, the network
itself in float32.
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

from benchmarks.list_flags import expect_numbers
from benchmarks.scans import digital_scan
from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script

VOXEL_SIZE = (1.0, 0.9, 1.6)
B0_DIRECTION = (0.36, -0.48, 0.8)


class Artefact(NamedTuple):
    """What is measured.

    Attributes:
        loaded_by: str, who can.
        path: `Path` of the file or folder.
        runner: callable from a scan to a callable that reconstructs it.
    """

    loaded_by: str
    path: Path
    runner: object


def define_flags():
    define_path("model", None, "A .keras model; default: the shipped one.")
    flags.DEFINE_list("sizes", "64,160", "Voxels along each axis.")
    expect_numbers("sizes", 8)
    flags.DEFINE_integer("runs", 3, "Timed runs of each.", lower_bound=1)


def megabytes(path):
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def keras_artefact(path):
    from spinet_tf.model_files import load_model
    from spinet_tf.reconstruct import Reconstructor

    # As the exported graphs do.
    reconstructor = Reconstructor(load_model(path), whole_volume=True)

    def runner(scan):
        return lambda: reconstructor(*scan).susceptibility

    return Artefact("Python, this package", path, runner)


def saved_model_artefact(folder):
    import tensorflow as tf

    from spinet_tf.serving.answers import batch_of_one

    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]

    def runner(scan):
        inputs = batch_of_one(scan)

        def run():
            tensors = {name: tf.constant(value) for name, value in inputs.items()}
            return signature(**tensors)["susceptibility"].numpy()[0]

        return run

    return Artefact("TensorFlow, TF-Serving, C", folder, runner)


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

        def runner(scan):
            return lambda: remote(*scan).susceptibility

        try:
            yield Artefact("any gRPC client", folder, runner)
        finally:
            process.terminate()


def tflite_artefact(folder, model, edge, variant):
    from ai_edge_litert.interpreter import Interpreter

    from spinet_tf.serving.answers import batch_of_one
    from spinet_tf.serving.tflite import export_tflite

    (path,) = export_tflite(model, folder, [(edge, edge, edge)], variant)
    interpreter = Interpreter(str(path), num_threads=os.cpu_count())
    run = interpreter.get_signature_runner("serving_default")

    def runner(scan):
        inputs = batch_of_one(scan)
        return lambda: run(**inputs)["susceptibility"][0]

    return Artefact("LiteRT", path, runner)


def encoding_seconds(scan):
    """What client and server do to a request, without the wire."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    from spinet_tf.serving.answers import batch_of_one

    start = time.perf_counter()
    request = predict_pb2.PredictRequest()
    for name, value in batch_of_one(scan).items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    received = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    for value in received.inputs.values():
        tf.make_ndarray(value)
    return time.perf_counter() - start


def timed(runners, runs):
    """The last results of some callables and the fastest times [s], run in turn."""
    results, seconds = {}, {name: [] for name in runners}
    for _ in range(runs + 1):
        for name, run in runners.items():
            start = time.monotonic()
            results[name] = run()
            seconds[name].append(time.monotonic() - start)
    return results, {name: min(times[1:]) for name, times in seconds.items()}


def report(artefacts, edge, runs):
    """Measure the artefacts at one size and print a line for each."""
    from benchmarks.agreement import relative_error

    scan = digital_scan(edge, VOXEL_SIZE, B0_DIRECTION)
    runners = {name: a.runner(scan) for name, a in artefacts.items()}
    results, seconds = timed(runners, runs)
    reference = next(iter(artefacts))
    for name, artefact in artefacts.items():
        print(
            f"{edge:>4}^3 {name:20}{artefact.loaded_by:27}"
            f"{megabytes(artefact.path):7.3f}{seconds[name]:9.2f}"
            f"{seconds[name] / seconds[reference]:7.2f}  "
            f"{relative_error(results[name], results[reference]):.1e}",
            flush=True,
        )
    print(f"      encoding and decoding a request {encoding_seconds(scan):.3f} s")


def main(options):
    import tensorflow as tf

    from spinet_tf.model_files import load_model
    from spinet_tf.pretrained import PRETRAINED
    from spinet_tf.serving.saved_model import export_saved_model
    from spinet_tf.serving.tflite import VARIANTS

    tf.get_logger().setLevel("ERROR")
    path = Path(options.model or PRETRAINED)
    model = load_model(path)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        folder = Path(folder)
        artefacts = {".keras": keras_artefact(path)}
        for precision in ("float32", "bfloat16"):
            version = export_saved_model(model, folder / precision, precision)
            artefacts[f"SavedModel {precision}"] = saved_model_artefact(version)
        served = served_artefact(folder / "float32" / "1")
        artefacts["float32 over gRPC"] = stack.enter_context(served)
        print(f" size {'artefact':20}{'loaded by':27}     MB  seconds  ratio  error")
        for edge in map(int, options.sizes):
            for variant in VARIANTS:
                artefact = tflite_artefact(folder, model, edge, variant)
                artefacts[f"TFLite {variant}"] = artefact
            report(artefacts, edge, options.runs)


if __name__ == "__main__":
    run_script(define_flags, main)
