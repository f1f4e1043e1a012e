"""Train SpiNet-QSM: `python train.py --flagfile=configs/quickstart.flags`."""

import sys
import zlib
from pathlib import Path

from datasets.building import check_same_scans, scans_of
from datasets.loading import load_dataset, may_be_of_scans, only_coarse
from spinet_cli.script import run_script
from spinet_cli.termination import clean_up_when_terminated
from spinet_cli.training_flags import as_flagfile, define_flags, ema_momentum

COMPARISON_NOISE = 0.002  # ppm


def build_network(options):
    """The network of these flags, with the weights of `--init_from` if it is given.

    Args:
        options: `absl.flags.FlagValues`.

    Returns:
        `SpiNetQSM`, or `DenoiserOnly` with `--nophysics`.

    Raises:
        InputError: `--init_from` is not a model, or one of another size.
    """
    from spinet_cli.initial_weights import take_weights
    from spinet_tf import DenoiserOnly, SpiNetQSM
    from spinet_tf.copies import PRECISIONS
    from spinet_tf.errors import InputError

    try:
        network = (SpiNetQSM if options.physics else DenoiserOnly)(
            unrolls=options.unrolls if options.physics else 1,
            mm_steps=options.mm_steps,
            channels=int(options.channels),
            residual=options.residual,
            filters=options.filters,
            blocks=options.blocks,
            dropout=options.dropout,
            batch_norm=options.batch_norm,
            chi_mean=options.chi_mean,
            chi_std=options.chi_std,
            initial_lambda=options.initial_lambda,
            initial_p=options.initial_p,
            learn_p=options.learn_p,
            fill_outside=options.fill_outside,
            adaptive_penalty=options.adaptive_penalty,
            tolerance=options.tolerance,
            max_iterations=options.max_iterations,
            dtype=PRECISIONS[options.precision],
        )
    except ValueError as error:  # the flags' names are those of its arguments
        raise InputError(str(error)) from error
    if options.init_from:
        take_weights(network, options.init_from)
    return network


def describe_initial(network):
    """What the weights to begin with are, in words."""
    checksum = 0
    for weight in network.get_weights():
        checksum = zlib.crc32(weight.tobytes(), checksum)
    return f"weights of checksum {checksum:08x}"


def describe_data(options):
    """What the network is trained and judged on, in words."""
    return (
        f"{options.train_fraction:g} of {options.dataset} with voxels from"
        f" {options.least_voxel_size:g} mm on, and {options.validation_examples} of"
        f" {options.validation}"
    )


def describe_scans(options):
    """What scans the data sets are of that the network is trained and judged on."""
    names = (options.dataset, options.validation)
    return " ".join(scans_of(name, options.data_dir) for name in names).strip()


def recipe_of(options, network):
    """The `Recipe` of these flags for a network that has not been trained by them."""
    from spinet_tf.field_simulation import FieldErrors
    from spinet_tf.losses import LossWeights
    from spinet_tf.training.run import Recipe

    return Recipe(
        steps=options.steps,
        steps_per_epoch=options.steps_per_epoch,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        warmup_steps=options.warmup_steps,
        clip_norm=options.clip_norm,
        ema_momentum=ema_momentum(options),
        loss_weights=LossWeights(
            options.susceptibility_loss, options.field_loss, options.gradient_loss
        ),
        errors=FieldErrors(*(options[name].value for name in FieldErrors._fields)),
        seed=options.seed,
        data=describe_data(options),
        recompute_denoiser=options.recompute_denoiser,
        initial=describe_initial(network) if options.init_from else "random",
        scans=describe_scans(options),
        measured_fields=options.measured_fields,
        strong_sources=options.strong_sources,
    )


def stored_examples(options, name, split, at_most=None):
    """What a data set of these flags holds; see `load_dataset`."""
    return load_dataset(
        name,
        options.data_dir,
        split,
        options.scans_dir,
        at_most,
        measured_fields=options.measured_fields > 0,
    )


def load_data(options):
    """The stored examples for training and for validation of these flags."""
    from spinet_tf.errors import InputError

    names = [*filter(None, (options.dataset, options.validation, options.comparison))]
    if options.scans_dir and not any(
        may_be_of_scans(name, options.data_dir) for name in names
    ):
        raise InputError(
            "scans_dir: expected a data set that is made of scans, such as"
            f" --dataset=qsm_cosmos/patches_48, got {', '.join(names)}"
        )
    if options.comparison:  # what is wrong with it is better known before the training
        for split in ("validation", "test"):
            stored_examples(options, options.comparison, split)
    share = f"train[:{100 * options.train_fraction:g}%]"
    training, validation = (
        stored_examples(options, name, split, at_most)
        for name, split, at_most in (
            (options.dataset, share, None),
            (options.validation, "validation", options.validation_examples),
        )
    )
    check_same_scans(names, options.data_dir)
    if options.least_voxel_size:
        training = only_coarse(training, options.least_voxel_size, options.dataset)
    return training, validation


def run(options, strategy):
    """Train with these flags.

    Args:
        options: `absl.flags.FlagValues`.
        strategy: `tf.distribute.Strategy`.

    Returns:
        dict of the last logs and the best validation metric.

    Raises:
        InputError: a flag does not fit the data or the other flags, or the run folder
            cannot be written to.
        FloatingPointError: the training came to NaN.
    """
    import keras

    from spinet_cli.run_dir import check_run_dir
    from spinet_tf.training.run import train
    from spinet_tf.training.strategy import first_process_first, writes_files

    if writes_files(strategy):
        check_run_dir(options.run_dir)
    options.ema_momentum = ema_momentum(options)  # for `flags.txt`
    # The network first: building a data set draws from the same generators.
    keras.utils.set_random_seed(options.seed)
    with strategy.scope():
        network = build_network(options)
    with first_process_first(strategy):
        stored, validation = load_data(options)
    return train(
        network,
        stored,
        validation,
        recipe_of(options, network),
        options.run_dir,
        "auto" if sys.stdout.isatty() else 2,
        strategy,
        as_flagfile(options),
    )


def compare_with_classical_methods(options):
    """Print a table and write a picture of the trained network's work.

    Args:
        options: `absl.flags.FlagValues`.
    """
    from spinet_tf.comparison import (
        compare,
        format_comparison,
        measured_scans,
        simulated_scans,
        tuned_classical_methods,
        with_noise,
    )
    from spinet_tf.model_files import load_model
    from spinet_tf.reconstruct import Reconstructor

    folder = Path(options.run_dir)

    def scans(split, seed):
        stored = stored_examples(options, options.comparison, split)
        if options.measured_fields:
            return measured_scans(stored)
        return simulated_scans(stored, with_noise(COMPARISON_NOISE), seed)

    tuning, test = scans("validation", 1001), scans("test", 1000)
    network = Reconstructor(load_model(folder / "last.keras"), options.precision)
    methods = {**tuned_classical_methods(tuning), "spinet": network}
    simulated = f"field noise {COMPARISON_NOISE:g} ppm"
    fields = "measured fields" if options.measured_fields else simulated
    print(f"\nHeld-out heads of {options.comparison}, {fields}")
    table = compare(methods, test, folder / "comparison.png")
    print(format_comparison(table, "spinet"))
    print(f"The picture is {folder / 'comparison.png'}")


def main(options):
    """Train, and print what came of it."""
    from spinet_tf.training.strategy import make_strategy, writes_files

    strategy = make_strategy(options.strategy)
    # Of several processes TensorFlow takes SIGTERM for itself, and goes on.
    clean_up_when_terminated()
    results = run(options, strategy)
    if not writes_files(strategy):
        return
    for name, value in results.items():
        print(f"{name:24} {value:.5g}")
    if options.comparison:
        compare_with_classical_methods(options)


if __name__ == "__main__":
    run_script(define_flags, main)
