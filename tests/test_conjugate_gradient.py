import numpy as np
import pytest
import scipy.sparse.linalg
import tensorflow as tf

from spinet_tf.conjugate_gradient import batch_dot, conjugate_gradient


def systems(seed=0, batch=3, n=40, is_complex=False):
    """Positive definite matrices of different condition, and right sides."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        real = rng.standard_normal(shape)
        return real + 1j * rng.standard_normal(shape) if is_complex else real

    basis, _ = np.linalg.qr(draw(batch, n, n))
    spectrum = np.stack([np.linspace(1, 3.0 ** (i + 1), n) for i in range(batch)])
    matrices = np.einsum("bij,bj,bkj->bik", basis, spectrum, basis.conj())
    return matrices, draw(batch, n)


def product(matrices):
    matrices = tf.constant(matrices)
    return lambda x: tf.einsum("bij,bj->bi", matrices, x)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("preconditioned", [False, True])
def test_equals_a_dense_solve(is_complex, preconditioned):
    matrices, rhs = systems(is_complex=is_complex)
    diagonal = np.einsum("bii->bi", matrices)
    solution = conjugate_gradient(
        product(matrices),
        rhs,
        preconditioner=(lambda x: x / diagonal) if preconditioned else None,
        tolerance=1e-12,
    )
    expected = np.linalg.solve(matrices, rhs[..., np.newaxis])[..., 0]
    np.testing.assert_allclose(solution.value, expected, rtol=1e-9)
    assert (solution.relative_residual.numpy() <= 1e-12).all()


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_iterates_equal_scipys(count):
    matrices, rhs = systems()
    solution = conjugate_gradient(
        product(matrices), rhs, tolerance=0.0, max_iterations=count
    )
    assert solution.iterations.numpy().tolist() == [count] * 3
    for i, (matrix, b) in enumerate(zip(matrices, rhs, strict=True)):
        expected, _ = scipy.sparse.linalg.cg(matrix, b, rtol=0, maxiter=count)
        np.testing.assert_allclose(solution.value[i], expected, rtol=1e-10)


def test_each_sample_stops_by_itself_and_stays():
    matrices, rhs = systems()
    together = conjugate_gradient(product(matrices), rhs, tolerance=1e-6)
    iterations = together.iterations.numpy()
    assert len(set(iterations)) > 1
    for i in range(3):
        one = slice(i, i + 1)
        alone = conjugate_gradient(product(matrices[one]), rhs[one], tolerance=1e-6)
        assert alone.iterations[0] == iterations[i]
        np.testing.assert_allclose(together.value[one], alone.value, rtol=1e-12)


def test_tolerance_is_relative_and_reported():
    matrices, rhs = systems()
    for scale in (1e-6, 1.0, 1e6):
        solution = conjugate_gradient(product(matrices), scale * rhs, tolerance=1e-3)
        residual = scale * rhs - np.einsum("bij,bj->bi", matrices, solution.value)
        relative = np.linalg.norm(residual, axis=1) / np.linalg.norm(
            scale * rhs, axis=1
        )
        assert (relative <= 1e-3).all()
        np.testing.assert_allclose(solution.relative_residual, relative, rtol=1e-6)


def test_start_at_the_solution_does_not_iterate():
    matrices, rhs = systems()
    expected = np.linalg.solve(matrices, rhs[..., np.newaxis])[..., 0]
    solution = conjugate_gradient(
        product(matrices), rhs, initial=tf.constant(expected), tolerance=1e-9
    )
    assert solution.iterations.numpy().tolist() == [0, 0, 0]
    np.testing.assert_array_equal(solution.value, expected)


def test_zero_sample_stays_zero_whatever_the_start():
    matrices, rhs = systems()
    rhs[1] = 0
    start = np.ones_like(rhs)
    solution = conjugate_gradient(
        product(matrices), rhs, initial=tf.constant(start), tolerance=1e-10
    )
    assert np.isfinite(solution.value).all()
    assert (solution.value.numpy()[1] == 0).all()
    assert solution.iterations[1] == 0
    assert solution.relative_residual[1] == 0
    assert (solution.iterations.numpy()[[0, 2]] > 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_right_side_that_is_not_finite_gives_nan_and_harms_no_other(bad):
    matrices, rhs = systems()
    expected = conjugate_gradient(product(matrices), rhs, tolerance=1e-8)
    rhs[1, 3] = bad
    solution = conjugate_gradient(product(matrices), rhs, tolerance=1e-8)
    assert np.isnan(solution.value[1]).all()
    assert np.isnan(solution.relative_residual[1])
    for i in (0, 2):
        np.testing.assert_allclose(solution.value[i], expected.value[i], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_past_convergence_stays_finite(dtype):
    matrices, rhs = systems(is_complex=dtype == "complex64")
    solution = conjugate_gradient(
        product(matrices.astype(dtype)),
        rhs.astype(dtype),
        tolerance=0.0,
        max_iterations=2000,
    )
    expected = np.linalg.solve(matrices, rhs[..., np.newaxis])[..., 0]
    error = np.linalg.norm(solution.value - expected, axis=1)
    assert (error < 1e-3 * np.linalg.norm(expected, axis=1)).all()
    # Where rounding is, no longer where numbers end.
    assert (solution.iterations.numpy() < [20, 30, 40]).all()


def test_not_positive_definite_stops_instead_of_diverging():
    solution = conjugate_gradient(lambda x: -x, tf.ones((2, 4)), tolerance=1e-6)
    assert np.isfinite(solution.value).all()
    assert solution.iterations.numpy().tolist() == [0, 0]
    assert solution.relative_residual.numpy().tolist() == [1, 1]


def test_unknown_sizes_in_a_graph():
    matrices, rhs = systems()

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.float64)])
    def solve(b):
        return conjugate_gradient(product(matrices), b, tolerance=1e-10)

    expected = np.linalg.solve(matrices, rhs[..., np.newaxis])[..., 0]
    np.testing.assert_allclose(solve(rhs).value, expected, rtol=1e-7)


def test_a_known_image_of_the_first_guess_saves_one_product():
    matrices, rhs = systems()
    guess = tf.constant(rhs[::-1])
    image = product(matrices)(guess)

    def solve(known):
        calls = []

        def operator(x):
            calls.append(x)
            return product(matrices)(x)

        found = conjugate_gradient(operator, rhs, initial=guess, initial_image=known)
        return found, len(calls)

    (expected, all_calls), (found, calls) = solve(None), solve(image)
    assert calls == all_calls - 1
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_tolerance_is_relative_to_the_scale():
    matrices, rhs = systems()
    scale = np.linalg.norm(rhs, axis=1) * [1, 10, 100]
    options = {"tolerance": 1e-5, "max_iterations": 200}
    solution = conjugate_gradient(product(matrices), rhs, scale=scale, **options)
    strict = conjugate_gradient(product(matrices), rhs, **options)
    image = product(matrices)(solution.value)
    residual = np.linalg.norm(rhs - image, axis=1)
    assert (residual <= 1e-5 * scale).all()
    np.testing.assert_allclose(solution.relative_residual, residual / scale, rtol=1e-3)
    fewer = solution.iterations < strict.iterations
    assert fewer.numpy().tolist() == [False, True, True]


def test_batch_dot_is_the_real_part_for_each_sample():
    rng = np.random.default_rng(0)
    a, b = (
        rng.standard_normal((2, 3, 4)) + 1j * rng.standard_normal((2, 3, 4))
        for _ in range(2)
    )
    expected = [np.vdot(x, y).real for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(batch_dot(tf.constant(a), tf.constant(b)), expected)


def test_a_lone_right_side_that_is_not_finite_gives_nan():
    matrices, rhs = systems(batch=1)
    rhs[0, 3] = np.nan
    solution = conjugate_gradient(product(matrices), rhs)
    assert np.isnan(solution.value).all()
    assert np.isnan(solution.relative_residual[0])
