"""The linear system of data consistency, by conjugate gradients in k-space.

    (F^-1 N F + G W G) d = b

N is diagonal in k-space and W in space, so that an iteration costs one pair of
transforms. G, diagonal in k-space too, costs none. The right side is a sum of filtered
volumes whose spectra are known, and costs none either.
"""

from typing import NamedTuple

import tensorflow as tf

from spinet_tf.conjugate_gradient import batch_dot, conjugate_gradient
from spinet_tf.dipole_kernel import half_spectrum_weights
from spinet_tf.dipole_operator import (
    filter_volume,
    spectrum_of,
    to_channels_first,
    to_channels_last,
)
from spinet_tf.fourier import FFT, matrix_size_of

FIRST_ORDER = "the gradients of a solve have none themselves"


class SolverSettings(NamedTuple):
    """How a solve is done; the forward and the backward solve share it.

    Attributes:
        tolerance: float, at which a sample stops, of the residual relative to the terms
            of the right side: the root of the sum of their squared norms.
        max_iterations: int, limit for each sample and solve.
        transform: class of `spinet_tf.fourier`. Defaults to `FFT`.
    """

    tolerance: float
    max_iterations: int
    transform: type = FFT


class Filtered(NamedTuple):
    """A term of the right side, F^-1 S F volume.

    Attributes:
        volume: float `(batch, x, y, z, channel)`; gets the gradient.
        spectrum: `spectrum_of` the volume.
        filter: float `(batch, x, y, z // 2 + 1)`, half spectrum of S; gets no gradient.
            Defaults to None: S = 1.
    """

    volume: tf.Tensor
    spectrum: tf.Tensor
    filter: tf.Tensor | None = None


class System(NamedTuple):
    """F^-1 N F + G W G.

    Attributes:
        normal: float >= 0 `(batch, x, y, z // 2 + 1)`, half spectrum N; geometry, gets
            no gradient.
        weights: float > 0 `(batch, x, y, z, 1)`, W.
        emphasis: float > 0 `(batch, x, y, z // 2 + 1)` or `(1, ...)`, half spectrum of
            G; gets no gradient. Defaults to None: G = 1.
    """

    normal: tf.Tensor
    weights: tf.Tensor
    emphasis: tf.Tensor | None = None


class FirstGuess(NamedTuple):
    """Where a solve begins; gets no gradient.

    Attributes:
        spectrum: of d.
        emphasised: float `(batch, x, y, z, channel)`, G d.
    """

    spectrum: tf.Tensor
    emphasised: tf.Tensor


class Solved(NamedTuple):
    """What a solve gives.

    Attributes:
        volume: float `(batch, x, y, z, channel)`, d.
        spectrum: of d; gets no gradient.
        iterations: int32 `(batch,)`.
        relative_residual: float `(batch,)`, see `SolverSettings`.
    """

    volume: tf.Tensor
    spectrum: tf.Tensor
    iterations: tf.Tensor
    relative_residual: tf.Tensor


def emphasised(volume, spectrum, emphasis, transform=FFT):
    """G volume, of which the spectrum is known.

    Args:
        volume: float `(batch, x, y, z, channel)`.
        spectrum: `spectrum_of` the volume.
        emphasis: see `System`.
        transform: class of `spinet_tf.fourier`. Defaults to `FFT`.

    Returns:
        Like `volume`.
    """
    if emphasis is None:
        return volume
    return filter_volume(volume, emphasis, transform, spectrum)


def _solve(terms, system, guess, settings):
    """`solve_weighted` without gradients.

    Half spectra are multiplied by the root of how often the whole one has each entry,
    which makes their inner products those of the whole.
    """
    example = terms[0].volume
    matrix_size = matrix_size_of(example)
    dft = settings.transform(matrix_size)
    weights = to_channels_first(system.weights)
    mean_weight = tf.reduce_mean(weights, axis=(2, 3, 4), keepdims=True)[:, 0]
    root = tf.sqrt(half_spectrum_weights(matrix_size, example.dtype))
    root = root[tf.newaxis, tf.newaxis, tf.newaxis]
    emphasis = system.emphasis
    if emphasis is None:
        emphasis = tf.ones_like(root)
    normal = dft.diagonal(system.normal)
    inverse = dft.diagonal(1 / (system.normal + mean_weight * tf.square(emphasis)))
    minded, minded_adjoint = (
        dft.diagonal(emphasis / root),
        dft.diagonal(emphasis * root),
    )

    def image(spectrum, in_space):
        return normal * spectrum + minded_adjoint * dft.forward(weights * in_space)

    spectra = [
        dft.diagonal(root if term.filter is None else root * term.filter)
        * term.spectrum
        for term in terms
    ]
    start = {}
    if guess is not None:
        start["initial"] = dft.diagonal(root) * guess.spectrum
        in_space = to_channels_first(guess.emphasised)
        start["initial_image"] = image(start["initial"], in_space)
    solution = conjugate_gradient(
        lambda spectrum: image(spectrum, dft.inverse(minded * spectrum)),
        # `tf.add_n` adds in an order that depends on timing, with other last bits.
        sum(spectra),
        preconditioner=lambda spectrum: inverse * spectrum,
        scale=tf.sqrt(sum(batch_dot(spectrum, spectrum) for spectrum in spectra)),
        tolerance=settings.tolerance,
        max_iterations=settings.max_iterations,
        **start,
    )
    spectrum = dft.diagonal(1 / root) * solution.value
    volume = tf.ensure_shape(to_channels_last(dft.inverse(spectrum)), example.shape)
    return Solved(volume, spectrum, *solution[1:])


def solve_weighted(terms, system, guess, settings):
    """Solve (F^-1 N F + G W G) d = the sum of the terms.

    The preconditioner is the operator with the weights replaced by their mean, which
    is diagonal in k-space. Gradients are implicit: with u = A^-1 g, by the same solver
    with the same settings, a term S v has d(v) = S u, and d(W) = -(G u) (G d). They are
    right as far as both solves have converged, and have no gradients themselves.

    Args:
        terms: list of `Filtered`.
        system: `System`.
        guess: `FirstGuess`, or None to begin at zero.
        settings: `SolverSettings`.

    Returns:
        `Solved`.
    """
    transform = settings.transform

    def emphasise(solved):
        return emphasised(solved.volume, solved.spectrum, system.emphasis, transform)

    @tf.custom_gradient
    def differentiable(weights, *volumes):
        posed = system._replace(weights=weights)
        solved = _solve(terms, posed, guess, settings)

        def gradient(upstream, *_):
            right_side = [Filtered(upstream, spectrum_of(upstream, transform))]
            u = _solve(right_side, posed, None, settings)
            product = emphasise(u) * emphasise(solved)
            gradients = (
                -tf.reduce_sum(product, axis=-1, keepdims=True),
                *(
                    u.volume
                    if term.filter is None
                    else filter_volume(u.volume, term.filter, transform, u.spectrum)
                    for term in terms
                ),
            )
            # A second derivative would miss what u owes to the weights.
            return [
                tf.raw_ops.PreventGradient(input=each, message=FIRST_ORDER)
                for each in gradients
            ]

        return tuple(solved), gradient

    volumes = [term.volume for term in terms]
    return Solved(*differentiable(system.weights, *volumes))
