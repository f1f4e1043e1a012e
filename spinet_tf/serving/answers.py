"""What a signature answers: a reconstruction, or a refusal."""

import re
import time

import numpy as np

from spinet_tf.reconstruction import Reconstruction, UnrollReport
from spinet_tf.scan_geometry import check_scan, normalise_b0_direction, without_gaps
from spinet_tf.serving.signatures import INPUTS, OUTPUTS


class Answering:
    """Reconstructs one volume as a batch of one, by `predict` of what inherits."""

    def __call__(self, local_field, mask, voxel_size, b0_direction):
        """Reconstruct one volume.

        Args:
            local_field: float32 `(x, y, z)` [ppm]; outside the mask NaN and infinity
                count as 0.
            mask: `(x, y, z)`, 0 or 1.
            voxel_size: three floats [mm].
            b0_direction: three floats, in voxel axes.

        Returns:
            A `Reconstruction`; its unrolls have no maps unless `iterates` was asked
            for, and no times.

        Raises:
            InputError: an argument is something else, or what `predict` raises.
        """
        start = time.monotonic()
        check_scan(local_field, mask, voxel_size, b0_direction)
        b0 = normalise_b0_direction(b0_direction)  # graphs refuse some lengths
        values = (without_gaps(local_field), mask, voxel_size, b0)
        results = self.predict(batch_of_one(values))
        return reconstruction_from(results, time.monotonic() - start)


def batch_of_one(scan):
    """What a signature takes, of one volume.

    Args:
        scan: local field, mask, voxel size and B0 direction, as `Answering` takes them.

    Returns:
        dict of name to float32 array.
    """
    return {
        name: np.asarray(value, np.float32)[np.newaxis]
        for name, value in zip(INPUTS, scan, strict=True)
    }


def reconstruction_from(results, seconds):
    """The first volume of a batch.

    Args:
        results: dict of arrays, the outputs of a signature.
        seconds: float, wall time.

    Returns:
        A `Reconstruction`; its unrolls have no times, and no maps where the signature
        gives none.
    """
    known = OUTPUTS["unrolls"] | {"left_out"}
    result = {name: results[name][0] for name in known & set(results)}
    iterations = result["solver_iterations"]
    unrolls = [
        UnrollReport(*unroll, seconds=None)
        for unroll in zip(
            result.get("iterates", [None] * len(iterations)),
            iterations.tolist(),
            result["solver_residual"].tolist(),
            strict=True,
        )
    ]
    left_out = result.get("left_out")  # earlier exports do not tell
    return Reconstruction(
        result["susceptibility"],
        float(result["data_consistency"]),
        unrolls,
        seconds,
        None if left_out is None else float(left_out),
    )


def fault_in(results, signature_name, volumes):
    """Why results are none that a signature gives.

    Args:
        results: dict of arrays.
        signature_name: str, a key of `OUTPUTS`.
        volumes: tuple `(batch, x, y, z)`, the shape of the local field.

    Returns:
        str, or None if nothing is wrong with them.
    """
    if missing := sorted(OUTPUTS[signature_name] - set(results)):
        return f"it lacks {missing}"
    batch, *size = volumes
    # Not that of the metadata: a newer version may have taken over.
    unrolls = [max((1, *results["solver_iterations"].shape[1:2]))]
    shapes = {
        "susceptibility": volumes,
        "iterates": (batch, *unrolls, *size),
        "solver_iterations": (batch, *unrolls),
        "solver_residual": (batch, *unrolls),
        "data_consistency": (batch,),
        "left_out": (batch,),
    }
    for name, shape in shapes.items():
        if name not in results:
            continue
        value = results[name]
        dtype = "int32" if name == "solver_iterations" else "float32"
        if (value.dtype, value.shape) != (dtype, shape):
            return (
                f"{name}: expected {dtype} of the shape {list(shape)}, got"
                f" {value.dtype} of {list(value.shape)}"
            )
        if not np.isfinite(value).all():
            return f"{name}: it holds NaN or infinity; is the field in ppm?"
    return None


def refusal(error):
    """What the graph says, without the node it comes from."""
    message = error.message.removeprefix("Graph execution error:").strip()
    told = re.match(r"assertion failed: \[(.*?)\]( .*)?", message)
    return told[1] + (told[2] or "") if told else message.split("\n")[0]
