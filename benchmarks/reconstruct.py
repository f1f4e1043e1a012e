"""Times a reconstruction beside the arithmetic it cannot do without.

    python -m benchmarks.reconstruct --sizes 64,96,160 --precision float32,bfloat16

The floor is the CNN's convolutions alone, as many and as large as in the
reconstruction, timed right after it in the same process. --tiled tells beside it what
it takes with the CNN where the mask can change its answer only, and how far apart the
two results are. Each configuration has a process of its own, so that peak memory is its
own.
"""

import importlib.metadata
import multiprocessing
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from absl import flags

from spinet_cli.script import run_script


class Configuration(NamedTuple):
    """What to measure; `size` is None where a field is given."""

    size: int | None
    precision: str
    model: str | None
    field: str | None
    mask: str | None
    memory_limit: float | None = None  # GB
    tiled: bool = False


class Measurement(NamedTuple):
    """What was measured; times in seconds, `first_call` with tracing, memory in MB.

    `tiled` is the time with the CNN where the mask can change its answer, `difference`
    the relative L2 difference of the results; both are None where not asked for.
    """

    matrix_size: tuple[int, int, int]
    total: float
    floor: float
    first_call: float
    iterations: list[int]
    peak_memory: float
    tiled: float | None = None
    difference: float | None = None


def measure(configuration):
    """Reconstruct twice, then run what it is compared with."""
    import numpy as np

    from spinet_tf.reconstruct import Reconstructor

    scan = load_scan(configuration)
    network, limit = load_network(configuration), configuration.memory_limit
    reconstructor = Reconstructor(
        network, configuration.precision, limit and int(limit * 1e9)
    )
    first_call = reconstructor(*scan).seconds
    reconstruction = reconstructor(*scan)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    matrix_size = scan[0].shape
    tiled = difference = None
    if configuration.tiled:
        in_tiles = Reconstructor(network, configuration.precision, tiled=True)
        in_tiles(*scan)
        found, _, _, tiled = in_tiles(*scan)
        difference = np.linalg.norm(reconstruction.susceptibility - found)
        difference /= np.linalg.norm(reconstruction.susceptibility)
    return Measurement(
        matrix_size=matrix_size,
        total=reconstruction.seconds,
        floor=time_convolutions(reconstructor.model, matrix_size),
        first_call=first_call,
        iterations=[unroll.iterations for unroll in reconstruction.unrolls],
        peak_memory=peak / (2**20 if sys.platform == "darwin" else 2**10),
        tiled=tiled,
        difference=difference,
    )


def load_scan(configuration):
    """Local field, mask, voxel size and B0 direction: the given ones or simulated."""
    from spinet_tf.nifti import read_mask, read_volume
    from spinet_tf.phantom import digital_head
    from spinet_tf.simulate import simulate_field

    if configuration.field:
        field = read_volume(configuration.field)
        mask = read_mask(configuration.mask)
        return field.data, mask.data, field.voxel_size, field.b0_direction
    b0_direction = (0, 0, 1)
    head = digital_head((configuration.size,) * 3)
    field = simulate_field(
        head.susceptibility, head.mask, head.voxel_size, b0_direction, noise=0.002
    )
    return field, head.mask, head.voxel_size, b0_direction


def load_network(configuration):
    """The given model, or one of the paper's size with random weights."""
    import keras

    from spinet_tf import SpiNetQSM
    from spinet_tf.model_files import load_model

    if configuration.model:
        return load_model(configuration.model)
    keras.utils.set_random_seed(0)
    # The solver gets about as many iterations as it takes with a trained network; how
    # many random weights would ask for says nothing.
    return SpiNetQSM(initial_lambda=0.05, initial_p=1.5, max_iterations=6)


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


def measure_alone(configuration):
    """`measure` in a new process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(measure, configuration).result()


def define_flags():
    flags.DEFINE_list("sizes", "160", "Voxels along a side of simulated volumes.")
    flags.DEFINE_list("precision", "float32,bfloat16", "Of the CNN.")
    flags.DEFINE_string(
        "model", None, "A .keras model. Without it the paper's size, random weights."
    )
    flags.DEFINE_string(
        "field", None, "Local field [ppm], NIfTI, instead of simulated volumes."
    )
    flags.DEFINE_string("mask", None, "Brain mask that goes with --field, NIfTI.")
    flags.DEFINE_float("memory_limit", None, "GB that a reconstruction may take.")
    flags.DEFINE_bool("tiled", False, "Compare with the CNN where it matters only.")


def main(options):
    from spinet_tf.errors import InputError

    if (options.field is None) != (options.mask is None):
        raise InputError("--field and --mask go together")
    sizes = [None] if options.field else [int(size) for size in options.sizes]
    tensorflow = importlib.metadata.version("tensorflow")
    print(f"{os.cpu_count()} cores, TensorFlow {tensorflow}")
    print(
        f"{'size':>11}  precision  total s  floor s  ratio  first call s  "
        "peak MB  iterations" + "  tiled s  difference" * options.tiled
    )
    for size in sizes:
        for precision in options.precision:
            measured = measure_alone(
                Configuration(
                    size,
                    precision,
                    options.model,
                    options.field,
                    options.mask,
                    options.memory_limit,
                    options.tiled,
                )
            )
            print(
                f"{'x'.join(map(str, measured.matrix_size)):>11}  {precision:<9}  "
                f"{measured.total:7.2f}  {measured.floor:7.2f}  "
                f"{measured.total / measured.floor:5.2f}  "
                f"{measured.first_call:12.2f}  {measured.peak_memory:7.0f}  "
                f"{' '.join(map(str, measured.iterations)):<10}"
                + (
                    f"  {measured.tiled:7.2f}  {measured.difference:10.1e}"
                    if options.tiled
                    else ""
                ),
                flush=True,
            )


if __name__ == "__main__":
    run_script(define_flags, main)
