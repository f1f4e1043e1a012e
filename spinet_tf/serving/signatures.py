"""What a served model takes and gives."""

import functools

import tensorflow as tf

from spinet_tf.outliers import share_left_out
from spinet_tf.serving.checks import checked, checked_field, checked_result

VOLUME = (None, None, None, None)
INPUTS = {
    "local_field": tf.TensorSpec(VOLUME, tf.float32, "local_field"),
    "mask": tf.TensorSpec(VOLUME, tf.float32, "mask"),
    "voxel_size": tf.TensorSpec((None, 3), tf.float32, "voxel_size"),
    "b0_direction": tf.TensorSpec((None, 3), tf.float32, "b0_direction"),
}
REPORT = {
    "susceptibility",
    "solver_iterations",
    "solver_residual",
    "data_consistency",
}
"""Outputs that every signature has, of earlier exports too."""
DEFAULT_SIGNATURE = "serving_default"
UNROLLS_SIGNATURE = "unrolls"
FIELD_SIGNATURE = "local_field_only"
OUTPUTS = {DEFAULT_SIGNATURE: REPORT, UNROLLS_SIGNATURE: {*REPORT, "iterates"}}


def fault_of(name, signature):
    """Why a signature is none that `export.py` wrote.

    Args:
        name: str, a key of `OUTPUTS`.
        signature: `SignatureDef`.

    Returns:
        str, or None if nothing is wrong with it.
    """
    takes, gives = sorted(signature.inputs), sorted(signature.outputs)
    if takes == sorted(INPUTS) and OUTPUTS[name] <= set(gives):
        return None
    return (
        f"not a SpiNet-QSM model: its signature {name!r} takes {takes} and gives"
        f" {gives}"
    )


def reconstruction(model, inputs):
    """Run the network and tell how it went.

    Args:
        model: `SpiNetQSM`.
        inputs: dict of float32 tensors, `local_field` [ppm] and `mask`, 0 or 1,
            `(batch, x, y, z)`, `voxel_size` [mm] and `b0_direction` `(batch, 3)`.

    Returns:
        dict of `susceptibility` [ppm], float32 `(batch, x, y, z)`; `iterates`
        `(batch, unroll, x, y, z)`, that after each unroll; `solver_iterations` int32
        and `solver_residual` float32, both `(batch, unroll)`; `data_consistency`,
        float32 `(batch,)`, ||mask (Phi chi - y)|| / ||mask y||; `left_out`, float32
        `(batch,)`, the share of the mask's voxels whose field nothing explains.
    """
    field, mask = (inputs[name][..., tf.newaxis] for name in ("local_field", "mask"))
    problem = model.prepare({**inputs, "local_field": field, "mask": mask})
    unrolls = list(model.rounds(problem))
    real = unrolls[-1].susceptibility[..., :1]
    misfit = mask * (model.dipole(real, problem.kernel) - field)
    return {
        "susceptibility": real[..., 0],
        "iterates": tf.stack([u.susceptibility[..., 0] for u in unrolls], axis=1),
        "solver_iterations": tf.stack([u.iterations for u in unrolls], axis=1),
        "solver_residual": tf.stack([u.relative_residual for u in unrolls], axis=1),
        "data_consistency": tf.math.divide_no_nan(_norm(misfit), _norm(mask * field)),
        "left_out": share_left_out(unrolls[-1].trust, mask),
    }


def _norm(volume):
    return tf.norm(tf.reshape(volume, (tf.shape(volume)[0], -1)), axis=1)


def signatures(model, max_voxels):
    """The functions a server offers.

    Args:
        model: `SpiNetQSM`, folded.
        max_voxels: int, voxels of the largest batch that is accepted.

    Returns:
        dict of a signature's name to a function and its list of `tf.TensorSpec`.
    """
    specs = list(INPUTS.values())

    # Traced, written and loaded once, in whichever signatures it is.
    @functools.partial(tf.function, input_signature=specs, autograph=False)
    def full(*volumes_and_geometry):
        inputs = dict(zip(INPUTS, volumes_and_geometry, strict=True))
        results = reconstruction(model, checked(inputs, max_voxels))
        results["susceptibility"] = checked_result(results["susceptibility"])
        return results

    def without_iterates(*volumes_and_geometry):
        results = dict(full(*volumes_and_geometry))
        del results["iterates"]
        return results

    def field_only(local_field):
        local_field = checked_field(local_field)
        batch = tf.shape(local_field)[:1]
        return without_iterates(
            local_field,
            tf.cast(local_field != 0, tf.float32),
            tf.ones(tf.concat([batch, [3]], axis=0)),
            tf.tile([[0.0, 0.0, 1.0]], tf.concat([batch, [1]], axis=0)),
        )

    return {
        DEFAULT_SIGNATURE: (without_iterates, specs),
        UNROLLS_SIGNATURE: (full, specs),
        FIELD_SIGNATURE: (field_only, specs[:1]),
    }
