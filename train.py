"""Train SpiNet-QSM: `python train.py --flagfile=configs/quickstart.flags`."""

import sys
from pathlib import Path

from absl import app, flags

from spinet_cli.huge_pages import restart_with_huge_pages

FLAGS = flags.FLAGS


def define_flags():
    """Flags of the data, the network and the recipe."""
    flags.DEFINE_string("run_dir", None, "Folder for checkpoints, logs and models.")
    flags.DEFINE_string("data_dir", "data", "Folder the TFDS data sets are built in.")
    flags.DEFINE_string(
        "dataset",
        "qsm_brain/patches_64",
        "Training set: name/config of datasets/, or a folder TFDS has built.",
    )
    flags.DEFINE_string(
        "validation", "qsm_brain/heads_small", "Validation set, named likewise."
    )
    flags.DEFINE_integer("validation_examples", 2, "How many of them.", lower_bound=1)
    flags.DEFINE_float("train_fraction", 1.0, "Share of the training set.", 1e-6, 1.0)
    flags.DEFINE_string("init_from", None, "A .keras model to start from.")

    flags.DEFINE_integer("unrolls", 3, "Rounds of denoiser and solve.", lower_bound=1)
    flags.DEFINE_integer("mm_steps", 1, "Majorization-minimization steps a round.", 1)
    flags.DEFINE_enum("channels", "1", ["1", "2"], "1 real, 2 complex.")
    flags.DEFINE_bool("residual", True, "D_w = I - N_w rather than N_w.")
    flags.DEFINE_integer("filters", 32, "Filters of the CNN.", lower_bound=1)
    flags.DEFINE_integer("blocks", 8, "Residual blocks of the CNN.", lower_bound=1)
    flags.DEFINE_float("dropout", 0.0, "Dropout rate of the CNN.", 0.0, 0.99)
    flags.DEFINE_bool("batch_norm", True, "Batch normalisation in the CNN.")
    flags.DEFINE_enum("stride", "1", ["1", "2"], "2: the CNN on every second voxel.")
    flags.DEFINE_float("chi_mean", 0.0, "Mean of the training maps [ppm].")
    flags.DEFINE_float("chi_std", 0.03, "Their standard deviation [ppm].", 1e-9)
    flags.DEFINE_float("initial_lambda", 0.06, "Weight of the penalty.", 1e-9)
    flags.DEFINE_float("initial_p", 2.0, "Exponent of the penalty.", 0.001, 2.0)
    flags.DEFINE_bool("learn_p", True, "Whether the exponent is trained.")
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
    flags.mark_flag_as_required("run_dir")


def load_dataset(name, data_dir, split):
    """A TFDS data set: of `datasets/`, built if it is missing, or a built folder."""
    import importlib

    import tensorflow_datasets as tfds

    if (Path(name) / "dataset_info.json").exists():
        builder = tfds.builder_from_directory(name)
    else:
        name, _, config = name.partition("/")
        module = importlib.import_module(f"datasets.{name}.{name}_dataset_builder")
        builder = module.Builder(config=config or None, data_dir=data_dir)
        builder.download_and_prepare()
    return builder.as_dataset(
        split=split,
        shuffle_files=False,
        read_config=tfds.ReadConfig(try_autocache=False),
    )


def build_network(options):
    """The network of these flags, or `--init_from` with its weights."""
    from spinet_tf import SpiNetQSM
    from spinet_tf.model_files import load_model
    from spinet_tf.reconstruct import PRECISIONS

    network = SpiNetQSM(
        unrolls=options.unrolls,
        mm_steps=options.mm_steps,
        channels=int(options.channels),
        residual=options.residual,
        filters=options.filters,
        blocks=options.blocks,
        dropout=options.dropout,
        batch_norm=options.batch_norm,
        stride=int(options.stride),
        chi_mean=options.chi_mean,
        chi_std=options.chi_std,
        initial_lambda=options.initial_lambda,
        initial_p=options.initial_p,
        learn_p=options.learn_p,
        tolerance=options.tolerance,
        max_iterations=options.max_iterations,
        dtype=PRECISIONS[options.precision],
    )
    if options.init_from:
        network.set_weights(load_model(options.init_from).get_weights())
    return network


def run(options):
    """Train with these flags.

    Args:
        options: `absl.flags.FlagValues`.

    Returns:
        dict of the last logs and the best validation metric.
    """
    import keras

    from spinet_tf.field_simulation import FieldErrors
    from spinet_tf.losses import LossWeights
    from spinet_tf.training.run import Recipe, train

    folder = Path(options.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    options.append_flags_into_file(folder / "flags.txt")
    # The network first: building a data set draws from the same generators.
    keras.utils.set_random_seed(options.seed)
    network = build_network(options)
    stored = load_dataset(
        options.dataset, options.data_dir, f"train[:{100 * options.train_fraction:g}%]"
    )
    validation = load_dataset(
        options.validation,
        options.data_dir,
        f"validation[:{options.validation_examples}]",
    )
    recipe = Recipe(
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
        ),
        seed=options.seed,
    )
    verbose = "auto" if sys.stdout.isatty() else 2
    return train(network, stored, validation, recipe, folder, verbose)


def main(_):
    """Train, and print what came of it."""
    for name, value in run(FLAGS).items():
        print(f"{name:24} {value:.5g}")


if __name__ == "__main__":
    restart_with_huge_pages()
    define_flags()
    app.run(main)
