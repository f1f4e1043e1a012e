"""What the unrolls are given, and what each of them gives."""

from typing import NamedTuple

import tensorflow as tf

from spinet_tf.noise_level import noise_level

LEAST_STRENGTH = 0.05  # of lambda, however little noise there is


class Problem(NamedTuple):
    """What stays the same over the unrolls.

    Attributes:
        adjoint_field: float `(batch, x, y, z, channel)`, Phi^H y.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.
        mask: float `(batch, x, y, z, 1)`, 0 or 1.
        strength: float `(batch, 1, 1, 1, 1)`, what the field's noise makes of lambda.
    """

    adjoint_field: tf.Tensor
    kernel: tf.Tensor
    mask: tf.Tensor
    strength: tf.Tensor

    @property
    def start(self):
        """chi_0, float `(batch, x, y, z, channel)` [ppm], masked."""
        return self.mask * self.adjoint_field


class Unroll(NamedTuple):
    """What one unroll gives.

    Attributes:
        susceptibility: float `(batch, x, y, z, channel)` [ppm], masked: chi_k.
        denoised: like `susceptibility`, not masked: z_k.
        weights: float `(batch, x, y, z, 1)`, W^2.
        iterations: int32 `(batch,)`, of the solver.
        relative_residual: float `(batch,)`, of the solver.
    """

    susceptibility: tf.Tensor
    denoised: tf.Tensor
    weights: tf.Tensor
    iterations: tf.Tensor
    relative_residual: tf.Tensor


def make_problem(inputs, dipole, channels=1, fill_outside=False, reference_noise=None):
    """The `Problem` of a batch of scans.

    Args:
        inputs: dict, see `spinet_tf.SpiNetQSM`.
        dipole: `DipoleOperator`; its dtype is that of the result.
        channels: 1 or 2, of the susceptibility. Defaults to 1.
        fill_outside: bool, whether the field outside the mask counts as unknown.
            Defaults to False.
        reference_noise: float > 0 [ppm], under which lambda shrinks. Defaults to None:
            it never does.

    Returns:
        `Problem`.
    """
    names = ("local_field", "mask", "voxel_size", "b0_direction")
    field, mask, voxel_size, b0_direction = (
        tf.cast(inputs[name], dipole.variable_dtype) for name in names
    )
    if fill_outside:
        field *= mask
    kernel = dipole.kernel(tf.shape(field)[1:4], voxel_size, b0_direction)
    adjoint = dipole.adjoint(field, kernel)
    if channels == 2:
        adjoint = tf.pad(adjoint, ((0, 0), (0, 0), (0, 0), (0, 0), (0, 1)))
    if reference_noise is None:
        strength = tf.ones_like(field[:, :1, :1, :1])
    else:
        noise = noise_level(field, mask, kernel, dipole.transform)
        strength = penalty_strength(noise, reference_noise)
    return Problem(adjoint, kernel, mask, strength)


def penalty_strength(noise, reference_noise):
    """What noise makes of lambda, `LEAST_STRENGTH` to 1.

    Args:
        noise: float `(batch,)` [ppm].
        reference_noise: float > 0 [ppm], which lambda is for.

    Returns:
        float `(batch, 1, 1, 1, 1)`.
    """
    strength = tf.square(noise / reference_noise)
    strength = tf.clip_by_value(strength, LEAST_STRENGTH, 1.0)
    return strength[:, None, None, None, None]
