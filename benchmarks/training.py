"""Times a training step beside its convolutions alone, and the input pipeline.

    python -m benchmarks.training --flagfile=configs/pretrained.flags

Takes the flags of train.py. The convolutions are those of a step, forward and
backward, timed in the same process. "fed" is a step that waits for the pipeline, as in
a training; where it takes as long as a step on the same batch, the pipeline is never
what is waited for.
"""

import resource
import statistics
import sys
import time

from absl import flags

import train
from datasets.loading import load_dataset
from spinet_cli.script import run_script


def define_flags():
    train.define_flags()
    flags.DEFINE_integer("repeats", 10, "Steps to time.", lower_bound=3)
    flags.FLAGS.set_default("run_dir", "unused")


def seconds_each(work, repeats):
    """Median duration of a call, after one that is not counted."""
    work()
    durations = []
    for _ in range(repeats):
        start = time.monotonic()
        work()
        durations.append(time.monotonic() - start)
    return statistics.median(durations)


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


def main(options):
    import tensorflow as tf

    from spinet_tf.errors import InputError
    from spinet_tf.input_pipeline import training_stream
    from spinet_tf.training.run import compiled_trainer

    if options.strategy != "none":
        raise InputError(f"--strategy: only none is timed, got {options.strategy}")
    recipe = train.recipe_of(options)
    stored = load_dataset(options.dataset, options.data_dir, "train[:64]")
    stream = training_stream(stored, recipe.errors, recipe.batch_size, recipe.seed)
    network = train.build_network(options)
    step = tf.function(compiled_trainer(network, recipe).train_step)
    batches = iter(stream.prefetch(2))
    batch = next(batches)
    size = batch[1].shape[1:4]

    repeats = options.repeats
    alone = seconds_each(lambda: step(batch)["loss"].numpy(), repeats)
    fed = seconds_each(lambda: step(next(batches))["loss"].numpy(), repeats)
    floor = seconds_each(convolution_step(network, size, options.batch_size), repeats)
    # Twice the prefetched batches first, so that none of them is counted.
    unmixed = iter(stream)
    for _ in range(8):
        next(unmixed)
    pipeline = seconds_each(lambda: next(unmixed), 2 * repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak /= 2**30 if sys.platform == "darwin" else 2**20
    print(
        f"{'x'.join(map(str, size))}, batch {options.batch_size}, {options.precision}, "
        f"{options.filters} filters, {options.blocks} blocks"
    )
    print(f"step                {alone:7.3f} s")
    print(f"step, fed           {fed:7.3f} s   {fed / alone:5.2f} of a step")
    print(
        f"its convolutions    {floor:7.3f} s   step / convolutions {alone / floor:.2f}"
    )
    print(f"pipeline, a batch   {pipeline:7.3f} s   {pipeline / alone:5.2f} of a step")
    print(f"peak memory         {peak:7.2f} GB")


if __name__ == "__main__":
    run_script(define_flags, main)
