"""A reconstruction's times and memory, and those of its convolutions alone."""

import resource
import sys
import tempfile
import time
import timeit
from typing import NamedTuple

from benchmarks.agreement import relative_error
from benchmarks.scans import load_network, read_scan


class Configuration(NamedTuple):
    """What to measure; `memory_limit` in GB."""

    field: str
    mask: str
    precision: str
    model: str | None = None
    memory_limit: float | None = None
    whole_volume: bool = False
    repeats: int = 3


class Measurement(NamedTuple):
    """What was measured; times in seconds, memory in bytes.

    `total` is the reconstruction, of which `cnn` and `solve` are parts, and `cpu` what
    all cores together spent on it; these are of the fastest of the repeats. `floor` is
    the fastest of as many. `files` is reading and writing, `start_up` imports and
    loading, `tracing` what the first call takes longer. `share` is that of the whole
    volume's voxels that the CNN computes. `whole` is the time with the CNN on all
    voxels, `whole_cpu` that of all cores together, `difference` the relative L2
    difference of the results; they are None where not asked for.
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
    """Reconstruct, once and then several times, and run what it is compared with."""
    start = time.monotonic()
    from spinet_tf.nifti import write_volume
    from spinet_tf.reconstruct import Reconstructor

    network, limit = load_network(configuration.model), configuration.memory_limit
    settings = network, configuration.precision, limit and int(limit * 1e9)
    reconstructor = Reconstructor(*settings)
    start_up = time.monotonic() - start
    read = Stopwatch(read_scan)
    field, scan = read(configuration.field, configuration.mask)
    first_call = reconstructor(*scan).seconds
    fastest = fastest_run(reconstructor, scan, configuration.repeats)
    reconstruction = fastest.reconstruction
    peak = peak_memory()
    write = Stopwatch(write_volume)
    chi = reconstruction.susceptibility
    with tempfile.TemporaryDirectory() as folder:
        write(f"{folder}/chi.nii.gz", chi, field, field.voxel_size, "chi")
    whole = whole_cpu = difference = None
    if configuration.whole_volume:
        on_all = Reconstructor(*settings, whole_volume=True)
        on_all(*scan)
        dense = fastest_run(on_all, scan, configuration.repeats)
        found, whole = dense.reconstruction.susceptibility, dense.reconstruction.seconds
        whole_cpu = dense.cpu
        difference = float(relative_error(chi, found))
    return Measurement(
        matrix_size=chi.shape,
        total=reconstruction.seconds,
        cnn=fastest.cnn,
        solve=fastest.solve,
        files=read.seconds + write.seconds,
        start_up=start_up,
        tracing=first_call - reconstruction.seconds,
        floor=time_convolutions(reconstructor.model, chi.shape, configuration.repeats),
        share=cnn_share(reconstructor, scan[1]),
        iterations=[unroll.iterations for unroll in reconstruction.unrolls],
        peak_memory=peak,
        cpu=fastest.cpu,
        whole=whole,
        whole_cpu=whole_cpu,
        difference=difference,
    )


def peak_memory():
    """Of this process until now [bytes]."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


class Run(NamedTuple):
    """A `Reconstruction`, and seconds in the CNN, in the solve and of all cores."""

    reconstruction: object
    cnn: float
    solve: float
    cpu: float


def fastest_run(reconstructor, scan, repeats):
    """The `Run` that took the least time; two are kept in memory at most."""
    runs = (timed_parts(reconstructor, scan) for _ in range(repeats))
    return min(runs, key=lambda run: run.reconstruction.seconds)


def timed_parts(reconstructor, scan):
    """Reconstruct once more; a `Run`."""
    cpu = time.process_time()
    denoisers, choose = [], reconstructor._denoise_where
    physics = Stopwatch(reconstructor._fit)

    def watched(mask):
        denoisers.append(Stopwatch(choose(mask)))
        return denoisers[-1]

    reconstructor._denoise_where, reconstructor._fit = watched, physics
    reconstruction = reconstructor(*scan)
    del reconstructor._denoise_where
    reconstructor._fit = physics.function
    cpu = time.process_time() - cpu
    return Run(reconstruction, denoisers[0].seconds, physics.seconds, cpu)


def cnn_share(reconstructor, mask):
    """Share of the whole volume's voxels that the CNN computes."""
    from spinet_tf.denoising_plan import choose_tiles, share_of_work

    model = reconstructor.model
    tiles = choose_tiles(mask, model, reconstructor.precision, reconstructor.memory)
    return 1.0 if tiles is None else share_of_work(tiles, mask.shape, model.blocks)


def time_convolutions(model, matrix_size, repeats):
    """Least seconds for all unrolls' convolutions, without bias and activation."""
    import tensorflow as tf

    from benchmarks.convolutions import convolution_chain, random_volume

    convolutions = tf.function(convolution_chain(model)[0])
    volume = random_volume(model, matrix_size)
    convolutions(volume)

    def all_unrolls():
        for _ in range(model.unrolls):
            convolutions(volume).numpy()

    return min(timeit.repeat(all_unrolls, number=1, repeat=repeats))
