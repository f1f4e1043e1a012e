"""Times training steps beside their convolutions alone, and the input pipeline.

    python -m benchmarks.training --flagfile=configs/pretrained_adaptive.flags

Takes the flags of train.py; --precisions and --denoiser tell what is compared, each in
a process of its own. The convolutions are those of a step, forward and backward, timed
in turn with the steps. "fed" is a step that waits for the pipeline, one after another
as in a training, so that nothing is prepared ahead of them for long; where it takes as
long as a step on the same batch, the pipeline is never what is waited for. Peak memory
is that of the process; what it took before the first step is told too.
"""

import statistics
import sys
import time
from typing import NamedTuple

from absl import flags, logging

import train
from benchmarks.list_flags import expect_words
from benchmarks.reconstruct import alone
from benchmarks.reconstruction_times import peak_memory
from spinet_cli import training_flags
from spinet_cli.arguments_scan import PRECISIONS
from spinet_cli.script import run_script

PREPARED_AHEAD = 8  # batches, more than the pipeline has ready
DENOISER = {"kept": "norecompute_denoiser", "recomputed": "recompute_denoiser"}


class Measurement(NamedTuple):
    """What was measured; times are medians in seconds, memory in bytes."""

    matrix_size: tuple[int, int, int]
    step: float
    fed: float
    convolutions: float
    pipeline: float
    peak_memory: float
    before_steps: float


def define_flags():
    train.define_flags()
    flags.adopt_module_key_flags(training_flags)
    flags.DEFINE_integer("repeats", 10, "Steps to time.", lower_bound=3)
    flags.DEFINE_list("precisions", "float32,bfloat16", "Of the CNN.")
    expect_words("precisions", PRECISIONS)
    flags.DEFINE_list(
        "denoiser", ",".join(DENOISER), "Whether all the CNN computes is kept."
    )
    expect_words("denoiser", DENOISER)
    flags.FLAGS.set_default("run_dir", "unused")


def median_seconds(calls, repeats):
    """Median duration of each call, made in turn, after one that is not counted."""
    durations = [[] for _ in calls]
    for _ in range(repeats + 1):
        for call, taken in zip(calls, durations, strict=True):
            start = time.monotonic()
            call()
            taken.append(time.monotonic() - start)
    return [statistics.median(taken[1:]) for taken in durations]


def stored_examples(options):
    """The first few examples of the training's data set."""
    return train.stored_examples(options, options.dataset, "train", 8)


def convolution_step(model, matrix_size, batch_size):
    """Callable: the convolutions of all unrolls, forward and backward."""
    import tensorflow as tf

    from benchmarks.convolutions import convolution_chain, random_volume

    apply, kernels = convolution_chain(model)
    volume = random_volume(model, matrix_size, batch_size)

    @tf.function
    def one_unroll(volume):
        with tf.GradientTape() as tape:
            tape.watch(volume)
            result = apply(volume)
        return tape.gradient(result, [volume, *kernels])

    def step():
        for _ in range(model.unrolls):
            one_unroll(volume)[0].numpy()

    return step


def measure(options):
    """Times and memory of a training with these flags, a `Measurement`."""
    import tensorflow as tf

    from spinet_tf.input_pipeline import training_stream
    from spinet_tf.training.run import compiled_trainer

    network = train.build_network(options)
    recipe = train.recipe_of(options, network)
    stream = training_stream(
        stored_examples(options),
        recipe.errors,
        recipe.batch_size,
        recipe.seed,
        measured_fields=recipe.measured_fields,
    )
    step = tf.function(compiled_trainer(network, recipe).train_step)
    batches = iter(stream.prefetch(2))
    batch = next(batches)
    size = tuple(batch[1].shape[1:4])

    def fed():
        step(next(batches))["loss"].numpy()

    before = peak_memory()
    for _ in range(PREPARED_AHEAD):
        fed()
    peak = peak_memory()
    (seconds_fed,) = median_seconds([fed], 2 * options.repeats)
    convolutions = convolution_step(network, size, options.batch_size)
    timed = (lambda: step(batch)["loss"].numpy(), convolutions)
    seconds_step, seconds_convolutions = median_seconds(timed, options.repeats)
    unmixed = iter(stream)
    for _ in range(PREPARED_AHEAD):
        next(unmixed)
    (pipeline,) = median_seconds([lambda: next(unmixed)], 2 * options.repeats)
    return Measurement(
        size,
        seconds_step,
        seconds_fed,
        seconds_convolutions,
        pipeline,
        peak,
        before,
    )


def measure_command_line(arguments):
    """`measure` with the flags of these arguments, which begin with a program's."""
    import spinet_tf  # noqa: F401  (before TensorFlow: it keeps that quiet)

    logging.set_verbosity(logging.ERROR)
    define_flags()
    flags.FLAGS(arguments)
    return measure(flags.FLAGS)


def check(options):
    from spinet_tf.errors import InputError

    if options.strategy != "none":
        raise InputError(f"--strategy: only none is timed, got {options.strategy}")


def main(options):
    check(options)
    stored_examples(options)  # which builds the data set
    unrolls = options.unrolls if options.physics else 1
    print(
        f"batch {options.batch_size}, {options.filters} filters, "
        f"{options.blocks} blocks, {unrolls} unrolls; ratios to a step but for "
        "the first, of a step to its convolutions"
    )
    print(
        f"{'size':>8}  precision  denoiser    step s  convolutions s  ratio   fed s  "
        "ratio  pipeline s  ratio  peak GB  before GB"
    )
    for precision in options.precisions:
        for denoiser in options.denoiser:
            chosen = [f"--precision={precision}", f"--{DENOISER[denoiser]}"]
            found = alone(measure_command_line, [*sys.argv, *chosen])
            print(
                f"{'x'.join(map(str, found.matrix_size)):>8}  {precision:9}  "
                f"{denoiser:10}  {found.step:6.3f}  {found.convolutions:14.3f}  "
                f"{found.step / found.convolutions:5.2f}  {found.fed:6.3f}  "
                f"{found.fed / found.step:5.2f}  {found.pipeline:10.3f}  "
                f"{found.pipeline / found.step:5.2f}  {found.peak_memory / 1e9:7.2f}  "
                f"{found.before_steps / 1e9:9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    run_script(define_flags, main)
