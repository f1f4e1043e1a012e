"""The shipped network against TKD and Tikhonov on held-out synthetic heads.

    python -m benchmarks.heads

Each head has its own geometry, oblique and anisotropic ones among them, and model
error as in training. The classical methods' parameters are tuned on the validation
heads, for each noise level by its own.
"""

import functools
from collections import defaultdict

from absl import app, flags

from spinet_cli.huge_pages import restart_with_huge_pages

FLAGS = flags.FLAGS
METRICS = ("nrmse", "hfen", "xsim")
PARAMETERS = {
    "tkd": ("threshold", (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)),
    "tikhonov": ("weight", (0.002, 0.005, 0.01, 0.02, 0.04, 0.08)),
}


def define_flags():
    flags.DEFINE_string("model", None, "A .keras model; default: the shipped one.")
    flags.DEFINE_string("dataset", "qsm_brain/heads", "Synthetic heads, name/config.")
    flags.DEFINE_string("data_dir", "data", "Folder the data set is built in.")
    flags.DEFINE_integer("tuning_heads", 3, "Validation heads to tune on.", 1)
    flags.DEFINE_integer("heads", 20, "Test heads.", lower_bound=1)
    flags.DEFINE_list("noise", "0.001,0.002,0.004", "Field noise [ppm].")


def load_heads(split, noise):
    """Local field, mask, voxel size, B0 direction and truth of each head."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    from datasets.qsm_brain.qsm_brain_dataset_builder import Builder
    from spinet_tf.field_simulation import FieldErrors
    from spinet_tf.input_pipeline import validation_batches

    builder = Builder(config=FLAGS.dataset.split("/")[1], data_dir=FLAGS.data_dir)
    builder.download_and_prepare()
    config = tfds.ReadConfig(try_autocache=False)
    stored = builder.as_dataset(split=split, shuffle_files=False, read_config=config)
    errors = FieldErrors(noise, noise, 0.0015, 0.01, 0.002, 0.05)
    for inputs, truth in validation_batches(stored, errors, seed=1000):
        inputs = tf.nest.map_structure(lambda x: x.numpy()[0], inputs)
        yield (
            (
                inputs["local_field"][..., 0],
                inputs["mask"][..., 0],
                inputs["voxel_size"],
                inputs["b0_direction"],
            ),
            truth.numpy()[0, ..., 0],
        )


def tuned_methods(noise):
    """TKD and Tikhonov with the parameter of least NRMSE on the validation heads."""
    from spinet_tf.classical import CLASSICAL_METHODS
    from spinet_tf.metrics_challenge import challenge_metrics
    from spinet_tf.reconstruct import reconstruct_classical

    errors = defaultdict(float)
    for scan, truth in load_heads(f"validation[:{FLAGS.tuning_heads}]", noise):
        for method, (name, values) in PARAMETERS.items():
            for value in values:
                inversion = functools.partial(
                    CLASSICAL_METHODS[method], **{name: value}
                )
                chi = reconstruct_classical(inversion, *scan).susceptibility
                errors[method, value] += challenge_metrics(chi, truth, scan[1])["nrmse"]
    methods = {}
    for method, (name, values) in PARAMETERS.items():
        best = min(values, key=lambda value: errors[method, value])
        print(f"noise {noise:g}: {method} {name} {best:g}")
        inversion = functools.partial(CLASSICAL_METHODS[method], **{name: best})
        methods[method] = functools.partial(reconstruct_classical, inversion)
    return methods


def compare(methods, noise):
    """Mean metrics of each method over the test heads."""
    import numpy as np

    from spinet_tf.metrics_challenge import challenge_metrics

    values = defaultdict(list)
    for scan, truth in load_heads(f"test[:{FLAGS.heads}]", noise):
        for name, reconstruct in methods.items():
            chi = reconstruct(*scan).susceptibility
            result = challenge_metrics(chi, truth, scan[1])
            values[name].append([result[metric] for metric in METRICS])
    return {name: np.mean(rows, axis=0) for name, rows in values.items()}


def main(_):
    from spinet_tf.model_files import load_model
    from spinet_tf.pretrained import PRETRAINED
    from spinet_tf.reconstruct import Reconstructor

    network = Reconstructor(load_model(FLAGS.model or PRETRAINED))
    tables = {}
    for noise in map(float, FLAGS.noise):
        methods = {**tuned_methods(noise), "spinet": network}
        tables[noise] = compare(methods, noise)
    print(f"\nMean of {FLAGS.heads} heads, in the mask")
    print("noise [ppm]  method      NRMSE [%]  HFEN [%]    XSIM  less NRMSE  less HFEN")
    for noise, table in tables.items():
        for name, (nrmse, hfen, xsim) in table.items():
            gains = [1 - table["spinet"][i] / table[name][i] for i in (0, 1)]
            gain = "" if name == "spinet" else f"{gains[0]:12.0%}{gains[1]:11.0%}"
            print(f"{noise:11g}  {name:10}{nrmse:11.1f}{hfen:10.1f}{xsim:8.3f}{gain}")


if __name__ == "__main__":
    restart_with_huge_pages()
    define_flags()
    app.run(main)
