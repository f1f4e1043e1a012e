"""A network beside tuned classical methods, over simulated scans with known truth."""

import functools
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from spinet_tf.classical import CLASSICAL_METHODS
from spinet_tf.figures import three_planes
from spinet_tf.input_pipeline import validation_batches
from spinet_tf.metrics_challenge import challenge_metrics
from spinet_tf.reconstruct import reconstruct_classical

METRICS = ("nrmse", "hfen", "xsim")
# What is tried for each method's parameter, from little noise to much.
PARAMETERS = {
    "tkd": ("threshold", (0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)),
    "tikhonov": ("weight", (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08)),
}


class Scan(NamedTuple):
    """What a method gets, and the truth.

    Attributes:
        inputs: local field [ppm] and mask, `(x, y, z)`, voxel size [mm], B0 direction.
        truth: float32 `(x, y, z)`, susceptibility [ppm].
    """

    inputs: tuple
    truth: np.ndarray


def simulated_scans(stored, errors, seed):
    """Scans of stored heads, each with a geometry and errors of its own.

    Args:
        stored: `tf.data.Dataset` of stored examples, in a fixed order.
        errors: `FieldErrors`.
        seed: int.

    Yields:
        `Scan`.
    """
    for inputs, truth in validation_batches(stored, errors, seed):
        first = tf.nest.map_structure(lambda x: x.numpy()[0], inputs)
        yield Scan(
            (
                first["local_field"][..., 0],
                first["mask"][..., 0],
                first["voxel_size"],
                first["b0_direction"],
            ),
            truth.numpy()[0, ..., 0],
        )


def tuned_classical_methods(scans):
    """TKD and Tikhonov, each with the parameter of least NRMSE on these scans.

    Args:
        scans: iterable of `Scan`.

    Returns:
        dict of a name with the parameter, such as "tkd 0.2", to a callable of a
        scan's inputs that gives a `Reconstruction`.
    """
    candidates = {
        (method, value): functools.partial(
            reconstruct_classical,
            functools.partial(CLASSICAL_METHODS[method], **{parameter: value}),
        )
        for method, (parameter, values) in PARAMETERS.items()
        for value in values
    }
    errors = defaultdict(float)
    for scan in scans:
        for key, reconstruct in candidates.items():
            errors[key] += metrics_of(reconstruct, scan)[0]
    tuned = {}
    for method in PARAMETERS:
        best = min((key for key in errors if key[0] == method), key=errors.get)
        tuned[f"{method} {best[1]:g}"] = candidates[best]
    return tuned


def metrics_of(reconstruct, scan):
    """`METRICS` of one method on one scan, a list of floats."""
    chi = reconstruct(*scan.inputs).susceptibility
    result = challenge_metrics(chi, scan.truth, scan.inputs[1])
    return [result[name] for name in METRICS]


def compare(methods, scans):
    """Mean metrics of each method.

    Args:
        methods: dict of name to callable, see `tuned_classical_methods`.
        scans: iterable of `Scan`.

    Returns:
        dict of name to float array, `METRICS`.
    """
    rows = defaultdict(list)
    for scan in scans:
        for name, reconstruct in methods.items():
            rows[name].append(metrics_of(reconstruct, scan))
    return {name: np.mean(values, axis=0) for name, values in rows.items()}


def report(network, tuning, test, picture):
    """Compare a network with the classical methods and draw the first test scan.

    Args:
        network: `Reconstructor`.
        tuning: list of `Scan` to tune the classical methods on.
        test: list of `Scan`.
        picture: path of the picture to write.

    Returns:
        str, the table.
    """
    methods = {**tuned_classical_methods(tuning), "spinet": network}
    inputs, truth = test[0]
    rows = {"truth": truth}
    for name, reconstruct in methods.items():
        rows[name] = reconstruct(*inputs).susceptibility
    three_planes(picture, rows, inputs[1], voxel_size=inputs[2])
    return format_comparison(compare(methods, test), "spinet")


def format_comparison(table, network):
    """Plain text of a comparison, with what the network gains over each other method.

    Args:
        table: what `compare` returned.
        network: name of the network among the methods.

    Returns:
        str of several lines.
    """
    lines = ["method            NRMSE [%]  HFEN [%]    XSIM  less NRMSE  less HFEN"]
    for name, (nrmse, hfen, xsim) in table.items():
        line = f"{name:16}{nrmse:11.1f}{hfen:10.1f}{xsim:8.3f}"
        if name != network:
            less = [1 - table[network][i] / table[name][i] for i in (0, 1)]
            line += f"{less[0]:12.0%}{less[1]:11.0%}"
        lines.append(line)
    return "\n".join(lines)
