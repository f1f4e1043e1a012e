"""A network beside tuned classical methods, over scans with known truth."""

import functools
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from spinet_tf.classical import CLASSICAL_METHODS
from spinet_tf.field_simulation import FieldErrors
from spinet_tf.figures import three_planes
from spinet_tf.input_pipeline import validation_batches
from spinet_tf.metrics_challenge import challenge_metrics, demeaned_nrmse
from spinet_tf.reconstruct import reconstruct_classical

METRICS = ("nrmse", "hfen", "xsim")
# Model error of a comparison; noise is chosen each time.
MODEL_ERROR = FieldErrors(0.0, 0.0, 0.0015, 0.01, 0.002, 0.05, 0.1, 0.0)
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
    return _scans(validation_batches(stored, errors, seed))


def measured_scans(stored):
    """Scans of stored examples with the fields that were measured.

    Args:
        stored: `tf.data.Dataset` of stored examples of `qsm_cosmos`, in a fixed order.

    Yields:
        `Scan`.
    """
    return _scans(validation_batches(stored, None, 0, measured_fields=1))


def _scans(batches):
    for inputs, truth in batches.unbatch().as_numpy_iterator():
        volumes = inputs["local_field"][..., 0], inputs["mask"][..., 0]
        geometry = inputs["voxel_size"], inputs["b0_direction"]
        yield Scan((*volumes, *geometry), truth[..., 0])


def with_noise(noise, errors=MODEL_ERROR):
    """`FieldErrors` with this noise [ppm] on every field."""
    return errors._replace(noise_low=noise, noise_high=noise)


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
    for inputs, truth in scans:
        mask = inputs[1] > 0
        for key, reconstruct in candidates.items():
            chi = reconstruct(*inputs).susceptibility
            errors[key] += demeaned_nrmse(chi[mask], truth[mask])[0]
    tuned = {}
    for method in PARAMETERS:
        best = min((key for key in errors if key[0] == method), key=errors.get)
        tuned[f"{method} {best[1]:g}"] = candidates[best]
    return tuned


def compare(methods, scans, picture=None):
    """Mean metrics of each method.

    Args:
        methods: dict of name to callable, see `tuned_classical_methods`.
        scans: iterable of `Scan`.
        picture: path of a picture of the first scan to write. Defaults to none.

    Returns:
        dict of name to float array, `METRICS`.
    """
    rows = defaultdict(list)
    for index, (inputs, truth) in enumerate(scans):
        maps = {"truth": truth}
        for name, reconstruct in methods.items():
            maps[name] = reconstruct(*inputs).susceptibility
            result = challenge_metrics(maps[name], truth, inputs[1])
            rows[name].append([result[metric] for metric in METRICS])
        if picture and index == 0:
            three_planes(picture, maps, inputs[1], inputs[2])
    return {name: np.mean(values, axis=0) for name, values in rows.items()}


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
