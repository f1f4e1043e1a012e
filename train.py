"""Train SpiNet-QSM: `python train.py --flagfile=configs/quickstart.flags`."""

import sys
from pathlib import Path

from absl import flags

from datasets.loading import load_dataset
from spinet_cli.script import run_script


def define_flags():
    """Flags of the data, the network and the recipe."""
    flags.DEFINE_string("run_dir", None, "Folder for checkpoints, logs and models.")
    flags.DEFINE_string("data_dir", "data", "Folder the TFDS data sets are built in.")
    flags.DEFINE_string("scans_dir", None, "Folder of your scans, for qsm_cosmos.")
    flags.DEFINE_string(
        "dataset",
        "qsm_brain/patches_64",
        "Training set: name/config of datasets/, or a folder TFDS has built.",
    )
    flags.DEFINE_string(
        "validation", "qsm_brain/heads_small", "Validation set, named likewise."
    )
    flags.DEFINE_integer("validation_examples", 2, "How many of them.", lower_bound=1)
    flags.DEFINE_string(
        "comparison", None, "Heads to compare with TKD and Tikhonov on at the end."
    )
    flags.DEFINE_float("train_fraction", 1.0, "Share of the training set.", 1e-6, 1.0)
    flags.DEFINE_string("init_from", None, "A .keras model to start from.")

    flags.DEFINE_bool("physics", True, "False: one pass of the CNN, nothing else.")
    flags.DEFINE_integer("unrolls", 3, "Rounds of denoiser and solve.", lower_bound=1)
    flags.DEFINE_integer("mm_steps", 1, "Majorization-minimization steps a round.", 1)
    flags.DEFINE_enum("channels", "1", ["1", "2"], "1 real, 2 complex.")
    flags.DEFINE_bool("residual", True, "D_w = I - N_w rather than N_w.")
    flags.DEFINE_integer("filters", 32, "Filters of the CNN.", lower_bound=1)
    flags.DEFINE_integer("blocks", 8, "Residual blocks of the CNN.", lower_bound=1)
    flags.DEFINE_float("dropout", 0.0, "Dropout rate of the CNN.", 0.0, 0.99)
    flags.DEFINE_bool("batch_norm", True, "Batch normalisation in the CNN.")
    flags.DEFINE_float("chi_mean", 0.0, "Mean of the training maps [ppm].")
    flags.DEFINE_float("chi_std", 0.03, "Their standard deviation [ppm].", 1e-9)
    flags.DEFINE_float("initial_lambda", 0.06, "Weight of the penalty.", 1e-9)
    flags.DEFINE_float("initial_p", 2.0, "Exponent of the penalty.", 0.001, 2.0)
    flags.DEFINE_bool("learn_p", True, "Whether the exponent is trained.")
    flags.DEFINE_bool("fill_outside", False, "Field outside the mask is unknown.")
    flags.DEFINE_bool("fitted_start", False, "Start from a fit, not from Phi^H y.")
    flags.DEFINE_float(
        "reference_noise", None, "Scale lambda with noise; it is for this [ppm].", 1e-9
    )
    flags.DEFINE_float("tolerance", 1e-3, "Relative residual of the solves.", 0.0)
    flags.DEFINE_integer("max_iterations", 10, "Limit of each solve.", lower_bound=1)
    flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "Of the CNN.")

    flags.DEFINE_integer("steps", 20000, "Optimizer steps.", lower_bound=1)
    flags.DEFINE_integer("steps_per_epoch", 200, "Steps between validations.", 1)
    flags.DEFINE_integer("batch_size", 1, "Examples a step.", lower_bound=1)
    flags.DEFINE_float("learning_rate", 2e-3, "At its height.", lower_bound=0.0)
    flags.DEFINE_integer("warmup_steps", 100, "Of linear rise.", lower_bound=0)
    flags.DEFINE_float("clip_norm", 1.0, "Limit of the gradient's norm.", 1e-9)
    flags.DEFINE_float("ema_momentum", 0.995, "Of the averaged weights.", 0.0, 1.0)
    flags.DEFINE_integer("seed", 0, "Of everything random.", lower_bound=0)
    flags.DEFINE_float("susceptibility_loss", 1.0, "Weight of L1(chi).", 0.0)
    flags.DEFINE_float("field_loss", 0.5, "Weight of L1(field).", 0.0)
    flags.DEFINE_float("gradient_loss", 0.5, "Weight of L1(edges).", 0.0)

    flags.DEFINE_float("noise_low", 0.0003, "Least noise [ppm].", 1e-9)
    flags.DEFINE_float("noise_high", 0.006, "Most noise [ppm].", 1e-9)
    flags.DEFINE_float("background", 0.003, "Residual background field [ppm].", 0.0)
    flags.DEFINE_float("anisotropy", 0.02, "Of white matter [ppm].", 0.0)
    flags.DEFINE_float("smooth", 0.002, "Smooth errors of the field [ppm].", 0.0)
    flags.DEFINE_float("gain", 0.05, "Smooth relative errors of the field.", 0.0)
    flags.DEFINE_enum(
        "strategy",
        "none",
        ["none", "mirrored", "multi_worker"],
        "How TensorFlow spreads each batch; multi_worker reads TF_CONFIG.",
    )
    flags.DEFINE_float("near_sources", 0.2, "Error in and next to sources.", 0.0)
    flags.mark_flag_as_required("run_dir")
    flags.register_multi_flags_validator(
        ["steps", "steps_per_epoch"],
        lambda f: f["steps"] % f["steps_per_epoch"] == 0,
        "steps must be a multiple of steps_per_epoch.",
    )
    flags.register_multi_flags_validator(
        ["noise_low", "noise_high"],
        lambda f: f["noise_low"] <= f["noise_high"],
        "noise_low must not be above noise_high.",
    )


def build_network(options):
    """The network of these flags, with the weights of `--init_from` if it is given.

    Args:
        options: `absl.flags.FlagValues`.

    Returns:
        `SpiNetQSM`, or `DenoiserOnly` with `--nophysics`.

    Raises:
        InputError: `--init_from` is not a model, or one of another size.
    """
    from spinet_tf import DenoiserOnly, SpiNetQSM
    from spinet_tf.errors import InputError
    from spinet_tf.model_files import load_model
    from spinet_tf.reconstruct import PRECISIONS

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
            fitted_start=options.fitted_start,
            reference_noise=options.reference_noise,
            tolerance=options.tolerance,
            max_iterations=options.max_iterations,
            dtype=PRECISIONS[options.precision],
        )
    except ValueError as error:  # the flags' names are those of its arguments
        raise InputError(str(error)) from error
    if options.init_from:
        weights = load_model(options.init_from).get_weights()
        expected = [weight.shape for weight in network.get_weights()]
        if [weight.shape for weight in weights] != expected:
            raise InputError(
                f"{options.init_from}: its network is of another size than these flags'"
            )
        network.set_weights(weights)
    return network


def recipe_of(options):
    """The `Recipe` of these flags."""
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
        ema_momentum=options.ema_momentum,
        loss_weights=LossWeights(
            options.susceptibility_loss, options.field_loss, options.gradient_loss
        ),
        errors=FieldErrors(
            options.noise_low,
            options.noise_high,
            options.background,
            options.anisotropy,
            options.smooth,
            options.gain,
            options.near_sources,
        ),
        seed=options.seed,
    )


def load_data(options):
    """The stored examples for training and for validation of these flags."""
    if options.comparison:  # what is wrong with it is better known before the training
        for split in ("validation", "test"):
            load_dataset(options.comparison, options.data_dir, split)
    share = f"train[:{100 * options.train_fraction:g}%]"
    some = f"validation[:{options.validation_examples}]"
    return (
        load_dataset(options.dataset, options.data_dir, share, options.scans_dir),
        load_dataset(options.validation, options.data_dir, some, options.scans_dir),
    )


def run(options, strategy):
    """Train with these flags.

    Args:
        options: `absl.flags.FlagValues`.
        strategy: `tf.distribute.Strategy`.

    Returns:
        dict of the last logs and the best validation metric.

    Raises:
        InputError: a flag does not fit the data or the other flags.
        FloatingPointError: the training came to NaN.
    """
    import keras

    from spinet_tf.atomic_write import atomic_path
    from spinet_tf.training.run import train
    from spinet_tf.training.strategy import first_process_first, writes_files

    # The network first: building a data set draws from the same generators.
    keras.utils.set_random_seed(options.seed)
    with strategy.scope():
        network = build_network(options)
    with first_process_first(strategy):
        stored, validation = load_data(options)
    folder = Path(options.run_dir)
    if writes_files(strategy):
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / "flags.txt") as temporary:
            temporary.write_text(options.flags_into_string())
    verbose = "auto" if sys.stdout.isatty() else 2
    return train(
        network, stored, validation, recipe_of(options), folder, verbose, strategy
    )


def compare_with_classical_methods(options, noise=0.002):
    """Print a table and write a picture of the trained network's work.

    Args:
        options: `absl.flags.FlagValues`.
        noise: float [ppm], of the fields. Defaults to 0.002.
    """
    from spinet_tf.comparison import (
        compare,
        format_comparison,
        simulated_scans,
        tuned_classical_methods,
        with_noise,
    )
    from spinet_tf.model_files import load_model
    from spinet_tf.reconstruct import Reconstructor

    folder = Path(options.run_dir)
    tuning, test = (
        simulated_scans(
            load_dataset(options.comparison, options.data_dir, split),
            with_noise(noise),
            seed,
        )
        for split, seed in (("validation", 1001), ("test", 1000))
    )
    network = Reconstructor(load_model(folder / "last.keras"), options.precision)
    methods = {**tuned_classical_methods(tuning), "spinet": network}
    print(f"\nHeld-out heads of {options.comparison}, field noise {noise:g} ppm")
    table = compare(methods, test, folder / "comparison.png")
    print(format_comparison(table, "spinet"))
    print(f"The picture is {folder / 'comparison.png'}")


def main(options):
    """Train, and print what came of it."""
    from spinet_tf.training.strategy import make_strategy, writes_files

    strategy = make_strategy(options.strategy)
    results = run(options, strategy)
    if not writes_files(strategy):
        return
    for name, value in results.items():
        print(f"{name:24} {value:.5g}")
    if options.comparison:
        compare_with_classical_methods(options)


if __name__ == "__main__":
    run_script(define_flags, main)
