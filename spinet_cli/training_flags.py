"""The flags of `train.py`."""

from absl import flags

from spinet_cli.path_flags import define_path


def define_flags():
    """Flags of the data, the network and the recipe."""
    define_path("run_dir", None, "Folder for checkpoints, logs and models.")
    define_path("data_dir", "data", "Folder the TFDS data sets are built in.")
    define_path("scans_dir", None, "Folder of your scans, for qsm_cosmos.")
    define_path(
        "dataset",
        "qsm_brain/patches_64",
        "Training set: name/config of datasets/, or a folder TFDS has built.",
    )
    define_path(
        "validation", "qsm_brain/heads_small", "Validation set, named likewise."
    )
    flags.DEFINE_integer(
        "validation_examples", 2, "How many of them, at most.", lower_bound=1
    )
    define_path(
        "comparison", None, "Heads to compare with TKD and Tikhonov on at the end."
    )
    flags.DEFINE_float("train_fraction", 1.0, "Share of the training set.", 1e-6, 1.0)
    flags.DEFINE_float(
        "least_voxel_size",
        0.0,
        "Leave out examples whose mean voxel edge is shorter [mm].",
        0.0,
    )
    flags.DEFINE_float(
        "measured_fields",
        0.0,
        "Share of fields that are measured ones, of qsm_cosmos; the others are "
        "simulated. Unless 0, validation and comparison are on measured ones.",
        0.0,
        1.0,
    )
    define_path(
        "init_from", None, "A .keras model to start from, its lambda and p too."
    )

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
    flags.DEFINE_bool("adaptive_penalty", False, "Lambda follows a field's errors.")
    flags.DEFINE_float("tolerance", 1e-3, "Relative residual of the solves.", 0.0)
    flags.DEFINE_integer("max_iterations", 10, "Limit of each solve.", lower_bound=1)
    flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "Of the CNN.")

    flags.DEFINE_integer("steps", 20000, "Optimizer steps.", lower_bound=1)
    flags.DEFINE_integer("steps_per_epoch", 200, "Steps between validations.", 1)
    flags.DEFINE_integer("batch_size", 1, "Examples a step.", lower_bound=1)
    flags.DEFINE_float("learning_rate", 2e-3, "At its height.", lower_bound=0.0)
    flags.DEFINE_integer(
        "warmup_steps",
        100,
        "Of linear rise to --learning_rate, which fewer --steps do not come to.",
        lower_bound=0,
    )
    flags.DEFINE_float("clip_norm", 1.0, "Limit of the gradient's norm.", 1e-9)
    flags.DEFINE_float(
        "ema_momentum",
        None,
        "Of the averaged weights; unless given, 0 with --batch_norm, else 0.995.",
        0,
        0.9999,
    )
    flags.DEFINE_bool(
        "recompute_denoiser",
        False,
        "Run the CNN again for its gradient: less memory, more time, the same result.",
    )
    flags.DEFINE_integer("seed", 0, "Of everything random.", 0, 2**32 - 1)
    flags.DEFINE_float("susceptibility_loss", 1.0, "Weight of L1(chi).", 0.0)
    flags.DEFINE_float("field_loss", 0.5, "Weight of L1(field).", 0.0)
    flags.DEFINE_float("gradient_loss", 0.5, "Weight of L1(edges).", 0.0)

    flags.DEFINE_float("noise_low", 0.0003, "Least noise [ppm].", 1e-9)
    flags.DEFINE_float("noise_high", 0.006, "Most noise [ppm].", 1e-9)
    flags.DEFINE_float("background", 0.003, "Largest background left [ppm].", 0.0)
    flags.DEFINE_float("anisotropy", 0.02, "Largest, of white matter [ppm].", 0.0)
    flags.DEFINE_float("smooth", 0.002, "Largest smooth error [ppm].", 0.0)
    flags.DEFINE_float("gain", 0.05, "Largest smooth relative error.", 0.0)
    flags.DEFINE_enum(
        "strategy",
        "none",
        ["none", "mirrored", "multi_worker"],
        "How TensorFlow spreads each batch; multi_worker reads TF_CONFIG.",
    )
    flags.DEFINE_float("near_sources", 0.2, "Largest error next to sources.", 0.0)
    flags.DEFINE_float(
        "strong_sources",
        0.0,
        "How many examples get a strong source, such as a bleed, in training.",
        0.0,
        1.0,
    )
    flags.DEFINE_float("coloured", 0.02, "Largest low-frequency noise [ppm].", 0.0)
    flags.register_validator("run_dir", bool, "expected a folder")
    flags.register_multi_flags_validator(
        ["steps", "steps_per_epoch"],
        lambda f: f["steps"] % f["steps_per_epoch"] == 0,
        "steps must be a multiple of steps_per_epoch.",
    )
    losses = ["susceptibility_loss", "field_loss", "gradient_loss"]
    flags.register_multi_flags_validator(
        losses,
        lambda f: max(f.values()) > 0,
        f"one of {', '.join(losses)} must be above 0.",
    )
    flags.register_multi_flags_validator(
        ["noise_low", "noise_high"],
        lambda f: f["noise_low"] <= f["noise_high"],
        "noise_low must not be above noise_high.",
    )


def ema_momentum(options):
    """The momentum of the averaged weights; they do not go with batch normalisation.

    Args:
        options: `absl.flags.FlagValues`.

    Returns:
        float, 0 for no averages.
    """
    if options.ema_momentum is None:
        return 0.0 if options.batch_norm else 0.995
    return options.ema_momentum


def as_flagfile(options):
    """The lines of a flagfile that asks for the same.

    Args:
        options: `absl.flags.FlagValues`.

    Returns:
        str; without the flags of libraries, which exist when they are imported.
    """
    lines = (flag.serialize() for flag in options.get_flags_for_module(__name__))
    return "".join(f"{line}\n" for line in lines if line)
