"""TensorFlow Lite files in the LiteRT runtime against the same network in TensorFlow.

    python -m benchmarks.tflite --sizes=32,48,64

Digital heads, oblique B0, anisotropic voxels. The two run in turn, and the fastest run
of each counts. What differs is given as a relative L2 difference of the susceptibility.
"""

from absl import flags

from benchmarks.list_flags import expect_numbers
from spinet_cli.script import run_script

VOXEL_SIZE = (1.0, 0.9, 1.6)
B0_DIRECTION = (0.36, -0.48, 0.8)


def define_flags():
    flags.DEFINE_string("model", None, "A .keras model; default: the shipped one.")
    flags.DEFINE_list("sizes", "32,48,64", "Voxels along each axis.")
    expect_numbers("sizes", 8)
    flags.DEFINE_integer("runs", 3, "Timed runs of each.", lower_bound=1)
    flags.DEFINE_integer("threads", 2, "Of LiteRT.", lower_bound=1)


def signature_inputs(scan):
    """A batch of one, as the signatures take it, of what a `Reconstructor` takes."""
    import numpy as np

    from spinet_tf.serving.signatures import INPUTS

    return {
        name: np.asarray(value, np.float32)[np.newaxis]
        for name, value in zip(INPUTS, scan, strict=True)
    }


def litert_runner(path, scan, threads):
    """Callable without arguments that reconstructs, returning the susceptibility."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    run = interpreter.get_signature_runner("serving_default")
    inputs = signature_inputs(scan)
    return lambda: run(**inputs)["susceptibility"][0]


def timed(runners, runs):
    """The last results of some callables and the fastest times [s], run in turn."""
    import time

    results, seconds = {}, {name: [] for name in runners}
    for _ in range(runs + 1):
        for name, run in runners.items():
            start = time.monotonic()
            results[name] = run()
            seconds[name].append(time.monotonic() - start)
    return results, {name: min(times[1:]) for name, times in seconds.items()}


def main(options):
    import tempfile

    from benchmarks.agreement import relative_error
    from benchmarks.scans import digital_scan
    from spinet_tf.model_files import load_model
    from spinet_tf.pretrained import PRETRAINED
    from spinet_tf.reconstruct import Reconstructor
    from spinet_tf.serving.tflite import VARIANTS, export_tflite

    model = load_model(options.model or PRETRAINED)
    reconstruct = Reconstructor(model, whole_volume=True)  # as the files do
    header = ("size", "variant", "file [kB]", "LiteRT [s]", "TensorFlow [s]", "ratio")
    print(*(f"{name:>14}" for name in header), "  difference")
    for size in map(int, options.sizes):
        scan = digital_scan(size, VOXEL_SIZE, B0_DIRECTION)

        def tensorflow(scan=scan):
            return reconstruct(*scan).susceptibility

        for variant in VARIANTS:
            with tempfile.TemporaryDirectory() as folder:
                (path,) = export_tflite(model, folder, [(size,) * 3], variant)
                litert = litert_runner(path, scan, options.threads)
                results, seconds = timed(
                    {"litert": litert, "tensorflow": tensorflow}, options.runs
                )
                kilobytes = path.stat().st_size / 1000
            print(
                f"{size:>14} {variant:>14} {kilobytes:>14.0f} "
                f"{seconds['litert']:>14.2f} {seconds['tensorflow']:>14.2f} "
                f"{seconds['litert'] / seconds['tensorflow']:>14.2f} "
                f"{relative_error(results['litert'], results['tensorflow']):>12.1e}",
                flush=True,
            )


if __name__ == "__main__":
    run_script(define_flags, main)
