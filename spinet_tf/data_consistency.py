"""Data consistency: the physics half of an unroll.

    minimise ||Phi chi - y||^2 + lambda ||chi - z||_p^p

by majorization-minimization; each step solves a linear system

    (Phi^H Phi + lambda W^2) d = Phi^H y - Phi^H Phi z,    chi = z + d

(`spinet_tf.weighted_solve`). W needs d, and its spectrum is at hand after a solve: so
posed, it takes fewer transforms than for chi itself. As in the published release
W^2 = |chi - z|^(p - 2) carries no factor p/2, so that for p < 2 the steps minimise with
2 lambda / p in place of lambda.

With an emphasis G, a real filter, the penalty is lambda ||G (chi - z)||_p^p, the system
has G W^2 G in place of W^2, and W^2 = |G (chi - z)|^(p - 2).

A local field is known inside the mask only. Taken as it is outside, as published, where
background removal mostly leaves zeros, it contradicts the susceptibility inside, and
the map's lowest frequencies suffer. With a
mask given, each step fills in what is unknown from an estimate x: the right side has
Phi^H (mask y + (1 - mask) Phi mask x) in place of Phi^H y, and the system stays as it
is. x is z in the first step and the step before's chi in the others; without the mask
on x this would majorize ||mask (Phi chi - y)||^2, with it, it also holds that sources
are in the mask only. Where they may be elsewhere, as in a hole of the mask, x is kept
there too.

What z leaves unexplained of the field tells how wrong the field is
(`spinet_tf.error_power`), and an adaptive layer makes G of it. What the chi of a step
leaves unexplained tells which voxels are wrong (`spinet_tf.outliers`); in the steps
that follow, such a layer takes T, from 0 to the mask, in place of the mask on y. G and
T are taken as given: no gradient goes through them.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from spinet_tf.dipole_operator import spectrum_of
from spinet_tf.error_power import error_power, penalty_emphasis
from spinet_tf.filled_field import fill_field, predict_field
from spinet_tf.fourier import FFT, matrix_size_of
from spinet_tf.outliers import trust_in_field
from spinet_tf.schatten_norm import SchattenNorm
from spinet_tf.weighted_solve import (
    Filtered,
    FirstGuess,
    SolverSettings,
    System,
    emphasised,
    solve_weighted,
)


class ConsistentSusceptibility(NamedTuple):
    """What data consistency gives.

    Attributes:
        susceptibility: float `(batch, x, y, z, channel)` [ppm].
        weights: float `(batch, x, y, z, 1)`, W^2 of the last step.
        iterations: int32 `(batch,)`, solver iterations, summed over the steps.
        relative_residual: float `(batch,)`, of the last step's solve.
        trust: float `(batch, x, y, z, 1)`, T for what follows: what was given, or the
            mask, where the layer does not look for outliers; without a mask what was
            given, or 1.
    """

    susceptibility: tf.Tensor
    weights: tf.Tensor
    iterations: tf.Tensor
    relative_residual: tf.Tensor
    trust: tf.Tensor


@keras.saving.register_keras_serializable(package="spinet_tf")
class DataConsistency(keras.layers.Layer):
    """Fits a susceptibility to the field and to the denoiser's answer.

    What it is called with is all of one float dtype. Its gradients are of first order
    and reverse mode only.

    Args:
        mm_steps: int >= 1, majorization-minimization steps. Defaults to 1.
        tolerance: float, relative residual of each solve. Defaults to 1e-4.
        max_iterations: int, limit of each solve. Defaults to 30.
        penalty: `SchattenNorm`, owner of lambda and p. Defaults to a new one.
        adaptive: bool, whether G and T follow the errors of the field; it takes a mask.
            T needs two steps or more. Defaults to False.

    Attributes:
        transform: class of `spinet_tf.fourier`; not saved with a model.

    Call arguments:
        local_field: float `(batch, x, y, z, channel)` [ppm], y.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.
        susceptibility: like `local_field`, where to start [ppm].
        denoised: like `local_field`, z [ppm].
        mask: float `(batch, x, y, z, 1)`, where y is known; y is zero elsewhere.
            Defaults to None: y is known everywhere.
        emphasis: float > 0 `(batch, x, y, z // 2 + 1)` or `(1, ...)`, half spectrum of
            G. Defaults to None: what the field tells if the layer is adaptive, else 1.
        trust: float `(batch, x, y, z, 1)`, T to begin with, as an earlier call gave it;
            taken with a mask only. Defaults to None: the mask.
        sources: float `(batch, x, y, z, 1)`, 0 or 1, where sources may be; taken with a
            mask only. Defaults to None: in the mask.

    Returns:
        A `ConsistentSusceptibility`.

    Raises:
        ValueError: no steps, or no mask for an adaptive layer.

    Reference:
        Venkatesh et al., MAGMA 2024, doi 10.1007/s10334-024-01158-7.
    """

    transform = FFT

    def __init__(
        self,
        mm_steps=1,
        tolerance=1e-4,
        max_iterations=30,
        penalty=None,
        adaptive=False,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if mm_steps < 1 or mm_steps != int(mm_steps):
            raise ValueError(
                f"mm_steps must be an integer, at least 1. Received: {mm_steps=}"
            )
        self.mm_steps = mm_steps
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.penalty = penalty or SchattenNorm(dtype=self.dtype_policy)
        self.adaptive = adaptive
        self.built = True

    def call(
        self,
        local_field,
        kernel,
        susceptibility,
        denoised,
        mask=None,
        emphasis=None,
        trust=None,
        sources=None,
    ):
        if self.adaptive and mask is None:
            raise ValueError("an adaptive layer needs a mask. Received: mask=None")
        normal = tf.square(kernel)
        lambda_ = tf.cast(self.penalty.lambda_, normal.dtype)
        settings = SolverSettings(self.tolerance, self.max_iterations, self.transform)

        def transformed(volume):
            return spectrum_of(volume, self.transform)

        explained = Filtered(denoised, transformed(denoised), -normal)
        if mask is None:
            field = Filtered(local_field, transformed(local_field), kernel)
            if trust is None:  # Keras wants tensors
                trust = tf.ones_like(local_field[..., :1])
        else:
            trust = mask if trust is None else trust
            sources = mask if sources is None else sources
        estimate = denoised
        difference = susceptibility - denoised
        spectrum = transformed(difference)
        total_iterations = 0
        for step in range(self.mm_steps):
            if mask is not None:
                predicted = predict_field(estimate, sources, kernel, self.transform)
                if self.adaptive and step > 0:
                    misfit = local_field - predicted.volume
                    trust = trust_in_field(misfit, predicted.volume, mask)
                filled = fill_field(local_field, trust, predicted, self.transform)
                field = Filtered(filled.volume, filled.spectrum, kernel)
                if self.adaptive and emphasis is None:
                    errors = error_power(filled.residual, trust, kernel)
                    emphasis = penalty_emphasis(errors, matrix_size_of(mask), kernel)
            minded = emphasised(difference, spectrum, emphasis, self.transform)
            weights = self.penalty(minded)
            difference, spectrum, iterations, residual = solve_weighted(
                [field, explained],
                System(normal, lambda_ * weights, emphasis),
                FirstGuess(spectrum, minded),
                settings,
            )
            estimate = denoised + difference
            total_iterations += iterations
        return ConsistentSusceptibility(
            estimate, weights, total_iterations, residual, trust
        )

    def get_config(self):
        return {
            **super().get_config(),
            "mm_steps": self.mm_steps,
            "tolerance": self.tolerance,
            "max_iterations": self.max_iterations,
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "adaptive": self.adaptive,
        }

    @classmethod
    def from_config(cls, config):
        penalty = keras.saving.deserialize_keras_object(config["penalty"])
        return cls(**{**config, "penalty": penalty})
