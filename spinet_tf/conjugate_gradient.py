"""Preconditioned conjugate gradients for a batch of systems, in a `tf.while_loop`."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Solution(NamedTuple):
    """What a solve gives.

    Attributes:
        value: like `rhs`.
        iterations: int32 `(batch,)`, operator applications each sample needed.
        relative_residual: float `(batch,)`, ||rhs - A x|| / scale at the end, as the
            recursion has it; 0 where rhs is 0, NaN where it is not finite.
    """

    value: tf.Tensor
    iterations: tf.Tensor
    relative_residual: tf.Tensor


class _State(NamedTuple):
    step: tf.Tensor
    value: tf.Tensor
    residual: tf.Tensor
    direction: tf.Tensor
    residual_dot_preconditioned: tf.Tensor
    residual_norm: tf.Tensor
    iterations: tf.Tensor
    active: tf.Tensor


def batch_dot(a, b):
    """Real part of the inner product <a, b> of each sample.

    Args:
        a: float or complex `(batch, ...)`.
        b: like `a`.

    Returns:
        float `(batch,)`.
    """
    product = a * tf.math.conj(b)
    return tf.math.real(tf.reduce_sum(product, axis=list(range(1, len(a.shape)))))


def conjugate_gradient(
    operator,
    rhs,
    *,
    preconditioner=None,
    initial=None,
    initial_image=None,
    scale=None,
    tolerance=1e-6,
    max_iterations=100,
):
    """Solve A x = rhs for each sample of a batch.

    Samples are independent: each has its own step sizes, stops when its residual is
    small enough, and stays as it is while others go on. A sample whose right side is
    zero is zero. A sample that cannot improve in this precision stops too: its
    residual has come down to rounding, which further iterations would not lower, or
    its curvature is no longer positive. Squares of norms must be numbers
    of the dtype: in float32 a right side below 1e-19 counts as zero.

    Args:
        operator: callable, `(batch, ...)` to `(batch, ...)`; A, self-adjoint and
            positive definite under `batch_dot`, acting on each sample by itself. CG
            with another operator silently returns a wrong result.
        rhs: float or complex `(batch, ...)`.
        preconditioner: callable like `operator`, an approximation of A^-1, also
            self-adjoint and positive definite. Defaults to none.
        initial: like `rhs`, the first guess. Defaults to zero.
        initial_image: like `rhs`, A of the first guess. Defaults to None: it is
            computed.
        scale: float `(batch,)`, what residuals are relative to; 0 only where rhs is.
            Defaults to ||rhs||.
        tolerance: float; a sample stops when ||rhs - A x|| <= tolerance * scale.
            Defaults to 1e-6.
        max_iterations: int, limit for each sample. Defaults to 100.

    Returns:
        A `Solution`.

    Reference:
        Hestenes and Stiefel, J Res Natl Bur Stand 1952, doi 10.6028/jres.049.044.
    """
    rhs = tf.convert_to_tensor(rhs)
    precondition = preconditioner or tf.identity

    def per_sample(scalar):
        scalar = tf.reshape(scalar, (-1, *[1] * (len(rhs.shape) - 1)))
        if rhs.dtype.is_complex:
            return tf.complex(scalar, tf.zeros_like(scalar))
        return scalar

    def like_rhs(x):
        # Transforms lose the static shape, which a loop must keep.
        return tf.ensure_shape(x, rhs.shape)

    def norm(x):
        return tf.sqrt(batch_dot(x, x))

    rhs_norm = norm(rhs)
    solvable = rhs_norm != 0
    rounding = np.finfo(rhs_norm.dtype.as_numpy_dtype).eps
    scale = rhs_norm if scale is None else scale
    target = tf.maximum(tf.cast(tolerance, rhs_norm.dtype), rounding) * scale

    if initial is None:
        value, residual = tf.zeros_like(rhs), rhs
    else:
        if initial_image is None:
            initial_image = operator(initial)
        kept = per_sample(tf.cast(solvable, rhs_norm.dtype))
        value, residual = kept * initial, rhs - kept * initial_image

    def goes_on(state):
        return tf.reduce_any(state.active) & (state.step < max_iterations)

    def iterate(state):
        image = operator(state.direction)
        curvature = batch_dot(state.direction, image)
        active = state.active & (curvature > 0)
        step_size = tf.where(
            active,
            tf.math.divide_no_nan(state.residual_dot_preconditioned, curvature),
            tf.zeros_like(curvature),
        )
        value = state.value + per_sample(step_size) * state.direction
        residual = state.residual - per_sample(step_size) * image
        preconditioned = precondition(residual)
        product = batch_dot(residual, preconditioned)
        momentum = tf.math.divide_no_nan(product, state.residual_dot_preconditioned)
        residual_norm = norm(residual)
        return (
            _State(
                step=state.step + 1,
                value=like_rhs(value),
                residual=like_rhs(residual),
                direction=like_rhs(
                    preconditioned + per_sample(momentum) * state.direction
                ),
                residual_dot_preconditioned=product,
                residual_norm=residual_norm,
                iterations=state.iterations + tf.cast(active, tf.int32),
                active=active & (residual_norm > target),
            ),
        )

    # A right side that is not finite has no solution, and must not look like one.
    value += per_sample(0 * rhs_norm)
    direction = precondition(residual)
    residual_norm = norm(residual)
    start = _State(
        step=tf.constant(0),
        value=like_rhs(value),
        residual=like_rhs(residual),
        direction=like_rhs(direction),
        residual_dot_preconditioned=batch_dot(residual, direction),
        residual_norm=residual_norm,
        iterations=tf.zeros_like(rhs_norm, tf.int32),
        active=solvable & (residual_norm > target),
    )
    (end,) = tf.while_loop(goes_on, iterate, (start,))
    return Solution(
        end.value,
        end.iterations,
        tf.math.divide_no_nan(end.residual_norm, scale),
    )
