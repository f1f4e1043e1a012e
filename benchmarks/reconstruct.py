"""Times a reconstruction beside the arithmetic it cannot do without.

    python -m benchmarks.reconstruct --whole_volume --sizes 64,96,128,160,192,256

prints the README's table, of the network that ships; --model takes another, and "paper"
is one of the paper's size with random weights. The floor is the CNN's convolutions
alone, as many as in the reconstruction and of the whole volume, timed right after it in
the same process. Of both the fastest of --repeats is taken: a virtual machine may have
to fetch the memory first, and others use it too. "Share" is what of the floor the mask
makes necessary. The time a voxel is that of all cores together. --whole_volume tells
beside it what it takes with the CNN on the whole volume, in all and a voxel, and how
far apart the two results are. Each configuration has a process of its own, so that peak
memory is its own.
"""

import importlib.metadata
import multiprocessing
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor

from absl import flags

from benchmarks.list_flags import expect_numbers, expect_words
from benchmarks.reconstruction_times import Configuration, measure
from benchmarks.scans import simulate_scan
from spinet_cli.arguments_scan import PRECISIONS
from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script


def alone(function, *arguments):
    """What a function returns in a new process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


def define_flags():
    flags.DEFINE_list("sizes", "160", "Voxels along a side of simulated volumes.")
    expect_numbers("sizes", 8)
    flags.DEFINE_list("precision", "float32,bfloat16", "Of the CNN.")
    expect_words("precision", PRECISIONS)
    define_path("model", None, "A .keras model, or paper; default: shipped.")
    define_path(
        "field", None, "Local field [ppm], NIfTI, instead of simulated volumes."
    )
    define_path("mask", None, "Brain mask that goes with --field, NIfTI.")
    flags.DEFINE_float("memory_limit", None, "GB that a reconstruction may take.")
    flags.DEFINE_bool("whole_volume", False, "Compare with the CNN on all voxels.")
    flags.DEFINE_integer("repeats", 3, "Runs to take the fastest of.", lower_bound=1)


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
    if options.field and options["sizes"].present:
        raise InputError("--sizes is of simulated volumes, which --field replaces")
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
                configuration = Configuration(
                    *scan,
                    precision,
                    options.model,
                    options.memory_limit,
                    options.whole_volume,
                    options.repeats,
                )
                print_row(row(alone(measure, configuration), precision))


if __name__ == "__main__":
    run_script(define_flags, main)
