"""What the unrolls are given, and what each of them gives."""

from typing import NamedTuple

import tensorflow as tf

from spinet_tf.frequencies import squared_frequencies
from spinet_tf.noise_level import noise_level

UNSEEN = 0.002  # ppm, errors of a field that its noise does not show
MOST_STRENGTH = 3.0  # of lambda, however much noise there is
MIDDLE_FREQUENCY = 0.15  # cycles a voxel, where lambda is what it is
LEAST_RELATIVE = 1e-3  # of its square; keeps the system definite at k = 0
LOW_FREQUENCY = 0.06  # cycles a voxel; below it fields hold more than noise
LOW_DOUBT = 0.5  # what these add to lambda at k = 0, relative to it


class Problem(NamedTuple):
    """What stays the same over the unrolls.

    Attributes:
        adjoint_field: float `(batch, x, y, z, channel)`, Phi^H y.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.
        mask: float `(batch, x, y, z, 1)`, 0 or 1.
        strength: float `(batch, 1, 1, 1, 1)`, what the field's noise makes of lambda.
        emphasis: float `(1, x, y, z // 2 + 1)`, half spectrum of G in the penalty; None
            for G = 1.
    """

    adjoint_field: tf.Tensor
    kernel: tf.Tensor
    mask: tf.Tensor
    strength: tf.Tensor
    emphasis: tf.Tensor | None

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


def make_problem(
    inputs,
    dipole,
    channels=1,
    fill_outside=False,
    reference_noise=None,
    penalty_order=0.0,
):
    """The `Problem` of a batch of scans.

    Args:
        inputs: dict, see `spinet_tf.SpiNetQSM`.
        dipole: `DipoleOperator`; its dtype is that of the result.
        channels: 1 or 2, of the susceptibility. Defaults to 1.
        fill_outside: bool, whether the field outside the mask counts as unknown.
            Defaults to False.
        reference_noise: float > 0 [ppm], the noise that lambda is for; it follows the
            field's own. Defaults to None: it does not.
        penalty_order: float >= 0, see `penalty_emphasis`. Defaults to 0: G = 1.

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
    emphasis = None
    if penalty_order:
        emphasis = penalty_emphasis(tf.shape(field)[1:4], penalty_order, kernel)
    return Problem(adjoint, kernel, mask, strength, emphasis)


def penalty_emphasis(matrix_size, order, kernel):
    """How much the penalty minds a frequency.

    G^2 = (|k| / 0.15)^order + 0.5 exp(-(|k| / 0.06)^2). What a denoiser gets wrong
    falls steeply with the frequency, as susceptibility itself does: at low ones the
    field knows better, at high ones the denoiser. At the very lowest the field is not
    to be relied on either, for what background removal has left behind is there.

    Args:
        matrix_size: int `(3,)`.
        order: float > 0, of lambda in |k|.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.

    Returns:
        G, float > 0 `(1, x, y, z // 2 + 1)`, half spectrum.
    """
    squared = squared_frequencies(matrix_size, kernel)
    relative = tf.maximum(squared / MIDDLE_FREQUENCY**2, LEAST_RELATIVE)
    doubt = LOW_DOUBT * tf.exp(-squared / LOW_FREQUENCY**2)
    return tf.sqrt(tf.pow(relative, order / 2) + doubt)[tf.newaxis]


def penalty_strength(noise, reference_noise):
    """What noise makes of lambda, `MOST_STRENGTH` at most.

    It goes with the variance of all errors of the field, as in the best linear filter.

    Args:
        noise: float `(batch,)` [ppm].
        reference_noise: float > 0 [ppm], which lambda is for.

    Returns:
        float `(batch, 1, 1, 1, 1)`.
    """
    strength = (tf.square(noise) + UNSEEN**2) / reference_noise**2
    strength = tf.minimum(strength, MOST_STRENGTH)
    return strength[:, None, None, None, None]
