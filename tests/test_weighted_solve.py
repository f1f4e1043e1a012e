import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.dipole_operator import filter_volume, spectrum_of
from spinet_tf.weighted_solve import (
    Filtered,
    FirstGuess,
    SolverSettings,
    System,
    emphasised,
    solve_weighted,
)
from tests.grids import GRIDS, geometry, random_volume

CONVERGED = SolverSettings(tolerance=1e-13, max_iterations=300)


def problem(grid, channels=1, dtype=np.float64):
    """Right side, weights, D^2 and a first guess for a batch of two geometries."""
    rng = np.random.default_rng(0)
    size, voxel_sizes, b0 = geometry(grid, dtype)
    rhs, initial = (random_volume(rng, size, channels, dtype=dtype) for _ in range(2))
    weights = (0.05 + rng.random((2, *size, 1))).astype(dtype)
    normal = tf.square(dipole_kernel(size, voxel_sizes, b0))
    return rhs, weights, normal, tf.constant(initial)


def first_guess(volume, emphasis=None):
    spectrum = spectrum_of(volume)
    return FirstGuess(spectrum, emphasised(volume, spectrum, emphasis))


def right_side(volume, *filters):
    """The volume through each filter, and as it is."""
    spectrum = spectrum_of(volume)
    return [Filtered(volume, spectrum, s) for s in (None, *filters)]


def random_emphasis(size):
    """Half spectra of G for a batch of two, positive and symmetric."""
    rng = np.random.default_rng(6)
    impulse = np.zeros((2, *size, 1))
    impulse[:, 0, 0, 0] = 1
    kernel = impulse + 0.02 * rng.random(impulse.shape)
    return tf.math.real(tf.signal.rfft3d(tf.constant(kernel[..., 0]))) + 0.5


def dense_filter(spectrum, size):
    """F^-1 S F of each sample as a matrix, column by column."""
    count = int(np.prod(size))
    columns = tf.constant(np.eye(count).reshape(count, *size, 1))
    spectra = (tf.repeat(s[tf.newaxis], count, axis=0) for s in spectrum)
    filtered = [filter_volume(columns, s).numpy() for s in spectra]
    return np.stack([f.reshape(count, count).T for f in filtered])


def dense_operator(weights, normal, emphasis, size):
    """F^-1 D^2 F + G weights G of each sample as a matrix."""
    diagonal = np.stack([np.diag(w.ravel()) for w in weights])
    if emphasis is not None:
        minded = dense_filter(emphasis, size)
        diagonal = minded @ diagonal @ minded
    return dense_filter(normal, size) + diagonal


@pytest.mark.parametrize("with_emphasis", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("grid", GRIDS)
def test_equals_a_dense_solve(grid, channels, with_emphasis):
    volume, weights, normal, initial = problem(grid, channels)
    size = volume.shape[1:4]
    emphasis = random_emphasis(size) if with_emphasis else None
    solved = solve_weighted(
        right_side(volume, -normal),
        System(normal, weights, emphasis),
        first_guess(initial, emphasis),
        CONVERGED,
    )
    matrices = dense_operator(weights, normal, emphasis, size)
    np.testing.assert_allclose(matrices, np.swapaxes(matrices, 1, 2), atol=1e-14)
    rhs = volume - filter_volume(volume, normal).numpy()
    expected = np.linalg.solve(matrices, rhs.reshape(2, -1, channels))
    np.testing.assert_allclose(solved.volume, expected.reshape(rhs.shape), atol=1e-10)
    np.testing.assert_allclose(
        solved.spectrum, spectrum_of(expected.reshape(rhs.shape)), atol=1e-8
    )
    assert (solved.relative_residual.numpy() < 1e-12).all()


def numerical_gradient(function, point, direction, step=1e-5):
    """Central difference of a scalar function along a direction."""
    return (function(point + step * direction) - function(point - step * direction)) / (
        2 * step
    )


def test_residuals_are_relative_to_the_terms_rather_than_to_their_sum():
    volume, weights, normal, _ = problem("mixed")
    terms = [Filtered(part * volume, part * spectrum_of(volume)) for part in (1, -0.99)]
    size = np.sqrt(1 + 0.99**2) / 0.01
    for tolerance, iterates in ((1.01 / size, False), (0.99 / size, True)):
        settings = SolverSettings(tolerance, 50)
        solved = solve_weighted(terms, System(normal, weights), None, settings)
        assert (solved.iterations.numpy() > 0).all() == iterates
        if not iterates:
            np.testing.assert_allclose(solved.relative_residual, 1 / size)


def test_second_derivatives_are_refused_rather_than_wrong():
    rhs, weights, normal, initial = problem("mixed", 1)
    guess, weights = first_guess(initial, None), tf.constant(weights)
    with tf.GradientTape() as outer:
        outer.watch(weights)
        with tf.GradientTape() as inner:
            inner.watch(weights)
            terms, system = right_side(rhs, -normal), System(normal, weights)
            solved = solve_weighted(terms, system, guess, CONVERGED)
        first = inner.gradient(solved.volume, weights)
    assert np.isfinite(first).all()
    with pytest.raises(LookupError, match="none themselves"):
        outer.gradient(first, weights)


@pytest.mark.parametrize("with_emphasis", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
def test_solve_gradients_by_finite_differences(channels, with_emphasis):
    rhs, weights, normal, initial = problem("mixed", channels)
    emphasis = random_emphasis(rhs.shape[1:4]) if with_emphasis else None
    guess = first_guess(initial, emphasis)
    rng = np.random.default_rng(1)
    upstream = random_volume(rng, rhs.shape[1:4], channels)

    @tf.function
    def loss(volume, weights):
        terms = right_side(volume, -normal)
        system = System(normal, weights, emphasis)
        solved = solve_weighted(terms, system, guess, CONVERGED)
        return tf.reduce_sum(upstream * solved.volume)

    rhs, weights = tf.constant(rhs), tf.constant(weights)
    with tf.GradientTape() as tape:
        tape.watch([rhs, weights])
        value = loss(rhs, weights)
    d_rhs, d_weights = tape.gradient(value, [rhs, weights])
    direction = rng.standard_normal(rhs.shape)
    np.testing.assert_allclose(
        np.sum(d_rhs * direction),
        numerical_gradient(lambda r: loss(r, weights), rhs, direction),
        rtol=1e-7,
    )
    direction = rng.standard_normal(weights.shape)
    np.testing.assert_allclose(
        np.sum(d_weights * direction),
        numerical_gradient(lambda w: loss(rhs, w), weights, direction),
        rtol=1e-7,
    )


def test_the_preconditioner_saves_iterations():
    """A narrow spread of weights, as a trained network has it; plain CG needs 30."""
    rng = np.random.default_rng(4)
    size = (24, 20, 22)
    rhs = rng.standard_normal((1, *size, 1))
    weights = 0.04 * np.exp(0.5 * rng.standard_normal((1, *size, 1)))
    normal = tf.square(dipole_kernel(size, np.ones((1, 3)), [[0.0, 0.6, 0.8]]))
    settings = SolverSettings(tolerance=1e-6, max_iterations=100)
    system = System(normal, weights)
    solved = solve_weighted(right_side(rhs), system, None, settings)
    assert solved.relative_residual[0] <= 1e-6
    assert solved.iterations[0] <= 20


@pytest.mark.parametrize("grid", GRIDS)
def test_residual_is_that_of_the_whole_volume(grid):
    """Half spectra do not have its inner product by themselves."""
    volume, weights, normal, _ = problem(grid)
    settings = SolverSettings(tolerance=1e-13, max_iterations=2)
    volume = tf.constant(volume)
    solved = solve_weighted(right_side(volume), System(normal, weights), None, settings)
    image = filter_volume(solved.volume, normal) + weights * solved.volume
    norms = [
        np.linalg.norm(np.reshape(v, (2, -1)), axis=1) for v in (volume - image, volume)
    ]
    np.testing.assert_allclose(solved.relative_residual, norms[0] / norms[1], rtol=1e-9)


def test_the_preconditioner_solves_for_uniform_weights_at_once():
    rhs, weights, normal, _ = problem("mixed")
    emphasis = random_emphasis(rhs.shape[1:4])
    weights = np.ones_like(weights) * np.array([0.1, 2.0]).reshape(2, 1, 1, 1, 1)
    system = System(normal, tf.constant(weights), emphasis)
    solved = solve_weighted(right_side(rhs), system, None, SolverSettings(1e-9, 50))
    assert solved.iterations.numpy().tolist() == [1, 1]
