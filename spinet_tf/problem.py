"""What the unrolls are given, and what each of them gives."""

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

INPUTS = ("local_field", "mask", "voxel_size", "b0_direction")


class Problem(NamedTuple):
    """What stays the same over the unrolls.

    Attributes:
        local_field: float `(batch, x, y, z, channel)` [ppm], y.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.
        mask: float `(batch, x, y, z, 1)`, 0 or 1, where y is known.
        sources: like `mask`, where the susceptibility may be other than 0.
        start: like `local_field`, chi_0 [ppm], 0 where no sources are.
    """

    local_field: tf.Tensor
    kernel: tf.Tensor
    mask: tf.Tensor
    sources: tf.Tensor
    start: tf.Tensor


class Unroll(NamedTuple):
    """What one unroll gives.

    Attributes:
        susceptibility: float `(batch, x, y, z, channel)` [ppm], 0 where no sources are:
            chi_k.
        denoised: like `susceptibility`, but everywhere: z_k.
        weights: float `(batch, x, y, z, 1)`, W^2.
        iterations: int32 `(batch,)`, of the solver.
        relative_residual: float `(batch,)`, of the solver.
        trust: float `(batch, x, y, z, 1)`, how much of the field the next unroll takes;
            the mask, but for `adaptive_penalty`.
    """

    susceptibility: tf.Tensor
    denoised: tf.Tensor
    weights: tf.Tensor
    iterations: tf.Tensor
    relative_residual: tf.Tensor
    trust: tf.Tensor


def make_problem(inputs, dipole, channels, fill_outside):
    """The `Problem` of a batch of scans.

    Args:
        inputs: dict, see `spinet_tf.SpiNetQSM`.
        dipole: `DipoleOperator`; its dtype is that of the result.
        channels: 1 or 2, of the susceptibility.
        fill_outside: bool, whether the field outside the mask counts as unknown.

    Returns:
        `Problem`.

    Raises:
        ValueError: no dict, or an input is missing, complex, or of a shape that does
            not fit.
    """
    if not isinstance(inputs, Mapping):
        raise ValueError(
            f"inputs: expected a dict of {', '.join(INPUTS)}. "
            f"Received: {type(inputs).__name__}"
        )
    missing = [name for name in INPUTS if name not in inputs]
    if missing:
        raise ValueError(f"inputs: missing {', '.join(missing)}. Received: {[*inputs]}")
    if not fill_outside or "sources" not in inputs:
        inputs = {**inputs, "sources": inputs["mask"]}
    scan = {name: tf.convert_to_tensor(inputs[name]) for name in (*INPUTS, "sources")}
    for name, values in scan.items():
        if values.dtype.is_complex:
            raise ValueError(f"{name}: expected real numbers. Received: {values.dtype}")
    scan = {name: tf.cast(x, dipole.variable_dtype) for name, x in scan.items()}
    _check_shapes(scan)
    field, mask, voxel_size, b0_direction, sources = scan.values()
    if fill_outside:
        field *= mask
    if channels == 2:
        field = tf.pad(field, ((0, 0), (0, 0), (0, 0), (0, 0), (0, 1)))
    kernel = dipole.kernel(tf.shape(field)[1:4], voxel_size, b0_direction)
    start = sources * dipole.adjoint(field, kernel)
    return Problem(field, kernel, mask, sources, start)


def _check_shapes(scan):
    """Refuse what would be broadcast, as far as shapes are known."""
    *size, _ = scan["local_field"].shape.with_rank(5)
    expected = {
        "local_field": [*size, 1],
        "mask": [*size, 1],
        "sources": [*size, 1],
        "voxel_size": [size[0], 3],
        "b0_direction": [size[0], 3],
    }
    for name, shape in expected.items():
        if not scan[name].shape.is_compatible_with(shape):
            raise ValueError(
                f"{name}: expected the shape {tuple(shape)}. "
                f"Received: {tuple(scan[name].shape)}"
            )
