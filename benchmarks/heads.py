"""A network against TKD and Tikhonov on held-out synthetic heads.

    python -m benchmarks.heads

Each head has its own geometry, oblique and anisotropic ones among them, and model
error as in training, but half of background, anisotropy and errors next to sources, and
no coloured noise (`--nomodel_error` leaves noise alone). The classical methods'
parameters are tuned on the validation heads, for each noise level by its own.
"""

from absl import flags

from benchmarks.list_flags import expect_numbers
from datasets.loading import load_dataset
from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script


def define_flags():
    define_path("model", None, "A .keras model; default: the shipped one.")
    define_path("dataset", "qsm_brain/heads", "Synthetic heads, name/config.")
    define_path("data_dir", "data", "Folder the data set is built in.")
    flags.DEFINE_integer("tuning_heads", 3, "Validation heads to tune on.", 1)
    flags.DEFINE_integer("heads", 20, "Test heads.", lower_bound=1)
    flags.DEFINE_list("noise", "0.001,0.002,0.004", "Field noise [ppm].")
    expect_numbers("noise", 0, float)
    flags.DEFINE_bool("model_error", True, "Whether fields hold more than noise.")
    flags.DEFINE_float("tolerance", None, "Another one, of the solver.", 0.0, 0.5)
    flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "Of the CNN.")


def main(options):
    from spinet_tf.comparison import (
        MODEL_ERROR,
        compare,
        format_comparison,
        simulated_scans,
        tuned_classical_methods,
        with_noise,
    )
    from spinet_tf.field_simulation import FieldErrors
    from spinet_tf.model_files import load_model
    from spinet_tf.pretrained import PRETRAINED
    from spinet_tf.reconstruct import Reconstructor

    model = load_model(options.model or PRETRAINED)
    if options.tolerance is not None:
        model.tolerance = options.tolerance  # which the copy for inference takes
    network = Reconstructor(model, options.precision)
    errors = (
        MODEL_ERROR
        if options.model_error
        else FieldErrors(*[0] * len(FieldErrors._fields))
    )

    def scans(split, noise, seed):
        stored = load_dataset(options.dataset, options.data_dir, split)
        return simulated_scans(stored, with_noise(noise, errors), seed)

    print(f"Mean of {options.heads} heads, in the mask")
    for noise in map(float, options.noise):
        tuning = scans(f"validation[:{options.tuning_heads}]", noise, seed=1001)
        methods = {**tuned_classical_methods(tuning), "spinet": network}
        table = compare(methods, scans(f"test[:{options.heads}]", noise, seed=1000))
        print(f"\nField noise {noise:g} ppm")
        print(format_comparison(table, "spinet"), flush=True)


if __name__ == "__main__":
    run_script(define_flags, main)
