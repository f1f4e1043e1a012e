"""The linear system of data consistency, by conjugate gradients in k-space.

    (F^-1 N F + G W G) chi = b

N is diagonal in k-space and W in space, so that an iteration costs one pair of
transforms. G, diagonal in k-space too, costs none.
"""

from typing import NamedTuple

import tensorflow as tf

from spinet_tf.conjugate_gradient import batch_dot, conjugate_gradient
from spinet_tf.dipole_kernel import half_spectrum_weights
from spinet_tf.dipole_operator import (
    filter_volume,
    to_channels_first,
    to_channels_last,
)
from spinet_tf.fourier import FFT, matrix_size_of


class SolverSettings(NamedTuple):
    """How a solve is done; the forward and the backward solve share it.

    Attributes:
        tolerance: float, relative residual at which a sample stops.
        max_iterations: int, limit for each sample and solve.
        transform: class of `spinet_tf.fourier`. Defaults to `FFT`.
    """

    tolerance: float
    max_iterations: int
    transform: type = FFT


def _solve(rhs, weights, normal, initial, settings, emphasis):
    """`solve_weighted` without gradients."""
    matrix_size = matrix_size_of(rhs)
    dft = settings.transform(matrix_size)
    voxel_weights = to_channels_first(weights)
    mean_weight = tf.reduce_mean(voxel_weights, axis=(2, 3, 4), keepdims=True)[:, 0]
    g = 1.0 if emphasis is None else dft.diagonal(emphasis)
    squared = 1.0 if emphasis is None else tf.square(emphasis)
    inverse = dft.diagonal(1 / (normal + mean_weight * squared))
    diagonal = dft.diagonal(normal)
    multiplicity = half_spectrum_weights(matrix_size, rhs.dtype)

    def transform(volume):
        return dft.forward(to_channels_first(volume))

    def operator(spectrum):
        weighted = voxel_weights * dft.inverse(g * spectrum)
        return diagonal * spectrum + g * dft.forward(weighted)

    solution = conjugate_gradient(
        operator,
        transform(rhs),
        preconditioner=lambda spectrum: inverse * spectrum,
        initial=None if initial is None else transform(initial),
        dot=lambda a, b: batch_dot(a, b, multiplicity),
        tolerance=settings.tolerance,
        max_iterations=settings.max_iterations,
    )
    volume = to_channels_last(dft.inverse(solution.value))
    volume = tf.ensure_shape(volume, rhs.shape)
    return volume, solution.iterations, solution.relative_residual


def emphasised(volume, emphasis, transform=FFT):
    """G volume; the volume itself without an emphasis."""
    if emphasis is None:
        return volume
    return filter_volume(volume, emphasis, transform)


def solve_weighted(rhs, weights, normal, initial, settings, emphasis=None):
    """Solve (F^-1 `normal` F + G `weights` G) chi = rhs.

    The preconditioner is the operator with the weights replaced by their mean, which
    is diagonal in k-space. Gradients are implicit: with u = A^-1 g, by the same solver
    with the same settings, d(rhs) = u and d(weights) = -(G u) (G chi). They are right
    as far as both solves have converged.

    Args:
        rhs: float `(batch, x, y, z, channel)`.
        weights: float > 0 `(batch, x, y, z, 1)`.
        normal: float >= 0 `(batch, x, y, z // 2 + 1)`, half spectrum; geometry, gets
            no gradient.
        initial: like `rhs`, the first guess; gets no gradient.
        settings: `SolverSettings`.
        emphasis: float > 0 `(1, x, y, z // 2 + 1)`, half spectrum of G; gets no
            gradient. Defaults to None: G = 1.

    Returns:
        chi, like `rhs`; iterations, int32 `(batch,)`; relative residual, float
        `(batch,)`.
    """

    def emphasise(volume):
        return emphasised(volume, emphasis, settings.transform)

    @tf.custom_gradient
    def differentiable(rhs, weights):
        chi, iterations, residual = _solve(
            rhs, weights, normal, initial, settings, emphasis
        )

        def gradient(upstream, *_):
            u, _, _ = _solve(upstream, weights, normal, None, settings, emphasis)
            product = emphasise(u) * emphasise(chi)
            return u, -tf.reduce_sum(product, axis=-1, keepdims=True)

        return (chi, iterations, residual), gradient

    return differentiable(rhs, weights)
