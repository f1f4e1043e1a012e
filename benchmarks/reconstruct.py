"""Times a reconstruction beside the arithmetic it cannot do without.

    python -m benchmarks.reconstruct --whole_volume --sizes 64,96,128,160,192,256

prints the README's table, of the network that ships; --model takes another, and "paper"
is one of the paper's size with random weights. The floor is the CNN's convolutions
alone, as many as in the reconstruction and of the whole volume, timed right after it in
the same process. "Share" is what of these the mask makes necessary. The time a voxel
is that of all cores together, which other work on them changes least. --whole_volume
tells beside it what it takes with the CNN on the whole volume, in all and a voxel, and
how far apart the two results are. Each configuration has a process of its own, so that
peak memory is its own.
"""

import importlib.metadata
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from absl import flags

from benchmarks.scans import load_network, read_scan, simulate_scan
from spinet_cli.script import run_script


class Configuration(NamedTuple):
    """What to measure; `memory_limit` in GB."""

    field: str
    mask: str
    precision: str
    model: str | None = None
    memory_limit: float | None = None
    whole_volume: bool = False


class Measurement(NamedTuple):
    """What was measured; times in seconds, memory in bytes.

    `total` is the reconstruction, of which `cnn` and `solve` are parts; `files` is
    reading and writing, `start_up` imports and loading, `tracing` what the first call
    takes longer. `share` is that of the whole volume's voxels that the CNN computes,
    `cpu` what all cores together spent on the reconstruction. `whole` is the time with
    the CNN on all voxels, `whole_cpu` that of all cores together, `difference` the
    relative L2 difference of the results; they are None where not asked for.
    """

    matrix_size: tuple[int, int, int]
    total: float
    cnn: float
    solve: float
    files: float
    start_up: float
    tracing: float
    floor: float
    share: float
    iterations: list[int]
    peak_memory: float
    cpu: float
    whole: float | None = None
    whole_cpu: float | None = None
    difference: float | None = None


class Stopwatch:
    """Wraps a function; `seconds` is the time spent in it."""

    def __init__(self, function):
        self.function = function
        self.seconds = 0.0

    def __call__(self, *arguments, **options):
        start = time.monotonic()
        result = self.function(*arguments, **options)
        self.seconds += time.monotonic() - start
        return result


def measure(configuration):
    """Reconstruct twice, then run what it is compared with."""
    start = time.monotonic()
    import numpy as np

    from spinet_tf.nifti import write_volume
    from spinet_tf.reconstruct import Reconstructor

    network, limit = load_network(configuration.model), configuration.memory_limit
    settings = network, configuration.precision, limit and int(limit * 1e9)
    reconstructor = Reconstructor(*settings)
    start_up = time.monotonic() - start
    read = Stopwatch(read_scan)
    field, scan = read(configuration.field, configuration.mask)
    first_call = reconstructor(*scan).seconds
    cpu = time.process_time()
    cnn, solve, reconstruction = time_parts(reconstructor, scan)
    cpu = time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write = Stopwatch(write_volume)
    chi = reconstruction.susceptibility
    with tempfile.TemporaryDirectory() as folder:
        write(f"{folder}/chi.nii.gz", chi, field, field.voxel_size, "chi")
    whole = whole_cpu = difference = None
    if configuration.whole_volume:
        on_all = Reconstructor(*settings, whole_volume=True)
        on_all(*scan)
        whole_cpu = time.process_time()
        result = on_all(*scan)
        whole_cpu = time.process_time() - whole_cpu
        found, whole = result.susceptibility, result.seconds
        difference = float(np.linalg.norm(chi - found) / np.linalg.norm(found))
    return Measurement(
        matrix_size=chi.shape,
        total=reconstruction.seconds,
        cnn=cnn,
        solve=solve,
        files=read.seconds + write.seconds,
        start_up=start_up,
        tracing=first_call - reconstruction.seconds,
        floor=time_convolutions(reconstructor.model, chi.shape),
        share=cnn_share(reconstructor, scan[1]),
        iterations=[unroll.iterations for unroll in reconstruction.unrolls],
        peak_memory=peak * (1 if sys.platform == "darwin" else 1024),
        cpu=cpu,
        whole=whole,
        whole_cpu=whole_cpu,
        difference=difference,
    )


def time_parts(reconstructor, scan):
    """Seconds in the CNN and in the solve, and the `Reconstruction`."""
    denoise = Stopwatch(reconstructor._denoise_where(scan[1]))
    physics = Stopwatch(reconstructor._fit)
    reconstructor._denoise_where, reconstructor._fit = lambda mask: denoise, physics
    reconstruction = reconstructor(*scan)
    del reconstructor._denoise_where
    reconstructor._fit = physics.function
    return denoise.seconds, physics.seconds, reconstruction


def cnn_share(reconstructor, mask):
    """Share of the whole volume's voxels that the CNN computes."""
    from spinet_tf.denoising_plan import choose_tiles, share_of_work

    model = reconstructor.model
    tiles = choose_tiles(
        mask, model, reconstructor.precision, reconstructor.memory_limit
    )
    return 1.0 if tiles is None else share_of_work(tiles, mask.shape, model.blocks)


def time_convolutions(model, matrix_size):
    """Seconds for the convolutions of all unrolls, without bias and activation."""
    import tensorflow as tf

    from benchmarks.convolutions import convolution_chain, random_volume

    convolutions = tf.function(convolution_chain(model)[0])
    volume = random_volume(model, matrix_size)
    convolutions(volume)
    start = time.monotonic()
    for _ in range(model.unrolls):
        convolutions(volume).numpy()
    return time.monotonic() - start


def alone(function, *arguments):
    """What a function returns in a new process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


def define_flags():
    flags.DEFINE_list("sizes", "160", "Voxels along a side of simulated volumes.")
    flags.DEFINE_list("precision", "float32,bfloat16", "Of the CNN.")
    flags.DEFINE_string("model", None, "A .keras model, or paper; default: shipped.")
    flags.DEFINE_string(
        "field", None, "Local field [ppm], NIfTI, instead of simulated volumes."
    )
    flags.DEFINE_string("mask", None, "Brain mask that goes with --field, NIfTI.")
    flags.DEFINE_float("memory_limit", None, "GB that a reconstruction may take.")
    flags.DEFINE_bool("whole_volume", False, "Compare with the CNN on all voxels.")


HEADER = (
    "Voxels, precision",
    "Total, s",
    "CNN",
    "Solve",
    "Files",
    "Start-up",
    "Tracing",
    "Floor",
    "Total / floor",
    "Share",
    "Iterations",
    "Peak, GB",
    "CPU, ns a voxel",
)
WHOLE_HEADER = ("Whole, s", "Whole, ns a voxel", "Difference")


def row(measured, precision):
    """Cells of a `Measurement`, in the order of `HEADER`."""
    x, y, z = measured.matrix_size
    times = measured[1:8]

    def per_voxel(seconds):
        return f"{seconds / (x * y * z) * 1e9:.0f}"

    cells = [
        f"{x} x {y} x {z}, {precision}",
        *(f"{seconds:.2f}" for seconds in times),
        f"{measured.total / measured.floor:.2f}",
        f"{measured.share:.2f}",
        " ".join(map(str, measured.iterations)),
        f"{measured.peak_memory / 1e9:.1f}",
        per_voxel(measured.cpu),
    ]
    if measured.whole is not None:
        whole = f"{measured.whole:.2f}", per_voxel(measured.whole_cpu)
        cells += [*whole, f"{measured.difference:.1e}"]
    return cells


def print_row(cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def main(options):
    from spinet_tf.errors import InputError

    if (options.field is None) != (options.mask is None):
        raise InputError("--field and --mask go together")
    tensorflow = importlib.metadata.version("tensorflow")
    print(f"{os.cpu_count()} cores, TensorFlow {tensorflow}\n")
    header = HEADER + WHOLE_HEADER * options.whole_volume
    print_row(header)
    print_row(["---"] * len(header))
    with tempfile.TemporaryDirectory() as folder:
        for size in [None] if options.field else map(int, options.sizes):
            scan = (options.field, options.mask)
            if size:
                scan = alone(simulate_scan, size, folder)
            for precision in options.precision:
                of_network = options.model, options.memory_limit, options.whole_volume
                configuration = Configuration(*scan, precision, *of_network)
                print_row(row(alone(measure, configuration), precision))


if __name__ == "__main__":
    run_script(define_flags, main)
