import keras
import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.data_consistency import DataConsistency
from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.dipole_operator import filter_volume
from spinet_tf.schatten_norm import SchattenNorm
from tests.grids import geometry, random_volume
from tests.test_weighted_solve import numerical_gradient, random_emphasis


def layer_inputs(dtype=np.float64, channels=1):
    rng = np.random.default_rng(2)
    size, voxel_sizes, b0 = geometry("mixed", dtype)
    kernel = dipole_kernel(size, voxel_sizes, b0)
    field, chi, denoised = (
        tf.constant(0.05 * random_volume(rng, size, channels, dtype=dtype))
        for _ in range(3)
    )
    return field, kernel, chi, denoised


def half_masks(shape):
    """Masks of about half of each sample's voxels, float64."""
    rng = np.random.default_rng(5)
    return (rng.random((*shape[:4], 1)) < 0.5).astype(float)


@pytest.mark.parametrize(
    ("mm_steps", "p", "masked", "emphasised"),
    [
        (1, 2.0, False, False),
        (1, 1.3, False, False),
        (3, 1.3, False, False),
        (1, 1.3, True, False),
        (2, 1.5, True, False),
        (2, 1.4, True, True),
        (1, 2.0, False, True),
    ],
)
def test_layer_gradients_by_finite_differences(mm_steps, p, masked, emphasised):
    field, kernel, chi, denoised = layer_inputs()
    mask = tf.constant(half_masks(field.shape)) if masked else None
    emphasis = random_emphasis(field.shape[1:4]) if emphasised else None
    penalty = SchattenNorm(0.1, p, dtype="float64")
    layer = DataConsistency(mm_steps, 1e-13, 300, penalty, dtype="float64")
    rng = np.random.default_rng(3)
    upstream = rng.standard_normal(field.shape)

    @tf.function
    def loss(field, chi, denoised):
        result = layer(field, kernel, chi, denoised, mask, emphasis)
        return tf.reduce_sum(upstream * result.susceptibility)

    tensors = [field, chi, denoised]
    parameters = [penalty.log_weight, penalty.p_decay]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    gradients = tape.gradient(value, tensors + [v.value for v in parameters])

    for i in range(3):
        direction = rng.standard_normal(field.shape)

        def along(x, i=i):
            return loss(*tensors[:i], x, *tensors[i + 1 :])

        np.testing.assert_allclose(
            np.sum(gradients[i] * direction),
            numerical_gradient(along, tensors[i], direction, 1e-6),
            rtol=1e-5,
            atol=1e-8,
        )
    for variable, gradient in zip(parameters, gradients[3:], strict=True):
        start = float(variable)

        def at(value, variable=variable):
            variable.assign(value)
            return float(loss(*tensors))

        # p = 2 is the end of its range: a one-sided difference there.
        lower = start if start == 0 else start - 1e-5
        expected = (at(start + 1e-5) - at(lower)) / (start + 1e-5 - lower)
        variable.assign(start)
        np.testing.assert_allclose(gradient, expected, rtol=2e-4)


def test_gradient_error_follows_the_tolerance():
    """The backward solve honours the layer's settings, no others."""
    field, kernel, chi, denoised = layer_inputs()

    def gradient(tolerance, max_iterations=300):
        penalty = SchattenNorm(0.1, 1.3, dtype="float64")
        layer = DataConsistency(1, tolerance, max_iterations, penalty, dtype="float64")
        with tf.GradientTape() as tape:
            tape.watch(denoised)
            result = layer(field, kernel, chi, denoised)
            value = tf.reduce_sum(result.susceptibility**3)
        return tape.gradient(value, denoised).numpy()

    exact = gradient(1e-13)

    def error(**settings):
        return np.linalg.norm(gradient(**settings) - exact) / np.linalg.norm(exact)

    assert error(tolerance=1e-8) < 1e-6
    assert 1e-6 < error(tolerance=1e-3) < 0.05
    assert error(tolerance=1e-13, max_iterations=1) > 1e-3


def test_zero_sample_stays_zero_and_finite():
    field, kernel, chi, denoised = layer_inputs(np.float32)
    first = np.array([1.0, 0.0], np.float32).reshape(2, 1, 1, 1, 1)
    layer = DataConsistency(mm_steps=2, penalty=SchattenNorm(0.1, 1.2))
    tensors = [field * first, chi * first, denoised * first]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        result = layer(tensors[0], kernel, tensors[1], tensors[2])
    assert np.isfinite(result.susceptibility).all()
    assert (result.susceptibility.numpy()[1] == 0).all()
    assert result.iterations.numpy()[1] == 0
    gradients = tape.gradient(result.susceptibility, tensors)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("emphasised", [False, True])
def test_more_steps_lower_the_objective(emphasised):
    """With the published weights W^2 the penalty's factor is 2 lambda / p."""
    field, kernel, chi, denoised = layer_inputs()
    emphasis = random_emphasis(field.shape[1:4]) if emphasised else None
    penalty = SchattenNorm(0.1, 1.2, dtype="float64")

    def objective(mm_steps):
        layer = DataConsistency(mm_steps, 1e-12, 200, penalty, dtype="float64")
        solve = tf.function(layer)  # in a graph, which is much faster
        result = solve(field, kernel, chi, denoised, emphasis=emphasis)
        result = result.susceptibility
        misfit = filter_volume(result, kernel) - field
        difference = result - denoised
        if emphasised:
            difference = filter_volume(difference, emphasis)
        modulus = np.abs(difference)
        return float(tf.reduce_sum(misfit**2) + 0.2 / 1.2 * np.sum(modulus**1.2))

    values = [objective(steps) for steps in (1, 2, 4, 8)]
    assert all(b < a for a, b in zip(values, values[1:], strict=False))


def test_many_steps_come_to_rest_where_the_weights_are_of_the_emphasised():
    """(Phi^H Phi + lambda G W^2 G) d = Phi^H (y - Phi z), W^2 = |G d|^(p - 2)."""
    field, kernel, chi, denoised = layer_inputs()
    emphasis = random_emphasis(field.shape[1:4]) ** 4  # far from flat
    penalty = SchattenNorm(0.1, 1.5, dtype="float64")
    layer = DataConsistency(3, 1e-13, 400, penalty, dtype="float64")
    solve = tf.function(layer)
    found = chi
    for _ in range(20):
        found = solve(field, kernel, found, denoised, emphasis=emphasis).susceptibility
    minded = filter_volume(found - denoised, emphasis)
    pulled = penalty.lambda_ * penalty(minded) * minded
    misfit = filter_volume(found, kernel) - field
    rest = filter_volume(misfit, kernel) + filter_volume(pulled, emphasis)
    assert tf.norm(rest) < 1e-6 * tf.norm(filter_volume(misfit, kernel))
    # From there on there is nothing to do.
    layer = DataConsistency(1, 1e-5, 400, penalty, dtype="float64")
    again = layer(field, kernel, found, denoised, emphasis=emphasis)
    assert again.iterations.numpy().tolist() == [0, 0]
    first = layer(field, kernel, chi, denoised, emphasis=emphasis)
    assert (first.iterations.numpy() > 2).all()


@pytest.mark.parametrize("p", [2.0, 1.4])
def test_truth_stays_where_the_field_is_known_in_the_mask_only(p):
    _, kernel, chi, _ = layer_inputs()
    mask = tf.constant(half_masks(chi.shape))
    truth = mask * chi
    field = mask * filter_volume(truth, kernel)
    penalty = SchattenNorm(0.1, p, dtype="float64")
    layer = DataConsistency(1, 1e-13, 300, penalty, dtype="float64")
    start = tf.zeros_like(truth)
    filled = layer(field, kernel, start, truth, mask).susceptibility
    np.testing.assert_allclose(filled, truth, atol=1e-9)
    as_measured = layer(field, kernel, start, truth).susceptibility
    assert np.abs(as_measured - truth).max() > 1e-3


def test_a_mask_of_ones_changes_nothing():
    field, kernel, chi, denoised = layer_inputs()
    layer = DataConsistency(2, 1e-10, 300, SchattenNorm(0.1, 1.4, dtype="float64"))
    ones = tf.ones((*field.shape[:4], 1), field.dtype)
    results = [layer(field, kernel, chi, denoised, mask) for mask in (None, ones)]
    np.testing.assert_array_equal(*(r.susceptibility for r in results))


def test_layers_make_a_functional_model():
    field, kernel, chi, denoised = layer_inputs(np.float32)
    layer = DataConsistency()
    inputs = [keras.Input(x.shape[1:]) for x in (field, kernel, chi, denoised)]
    model = keras.Model(inputs, layer(*inputs))
    found, expected = (
        model([field, kernel, chi, denoised]),
        layer(field, kernel, chi, denoised),
    )
    np.testing.assert_array_equal(found.susceptibility, expected.susceptibility)
    np.testing.assert_array_equal(found.trust, np.ones((*field.shape[:4], 1)))


def test_p_of_two_with_an_emphasis_has_a_closed_form():
    field, kernel, chi, denoised = layer_inputs()
    emphasis = random_emphasis(field.shape[1:4])
    penalty = SchattenNorm(0.1, 2.0, dtype="float64")
    layer = DataConsistency(2, 1e-13, 300, penalty, dtype="float64")
    adjoint = filter_volume(field, kernel)
    weight = penalty.lambda_ * emphasis**2
    expected = filter_volume(
        adjoint + filter_volume(denoised, weight), 1 / (kernel**2 + weight)
    )
    result = layer(field, kernel, chi, denoised, emphasis=emphasis)
    np.testing.assert_allclose(result.susceptibility, expected, atol=1e-11)


def test_config_round_trip():
    layer = DataConsistency(2, 1e-5, 17, SchattenNorm(0.2, 1.1), adaptive=True)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert copy.get_config() == layer.get_config()
    assert (copy.mm_steps, copy.tolerance, copy.max_iterations) == (2, 1e-5, 17)
    assert copy.adaptive
    assert float(copy.penalty.p) == pytest.approx(1.1)
    config = layer.get_config()
    for _ in range(2):
        assert DataConsistency.from_config(config).get_config() == layer.get_config()
    for steps in (0, 1.5):
        with pytest.raises(ValueError, match=f"mm_steps={steps}"):
            DataConsistency(mm_steps=steps)


def test_lambda_and_p_may_be_of_another_dtype_than_the_field():
    field, kernel, chi, denoised = layer_inputs(np.float32)
    layer = DataConsistency(penalty=SchattenNorm(0.1, 1.5, dtype="float64"))
    found = layer(field, kernel, chi, denoised).susceptibility
    layer = DataConsistency(penalty=SchattenNorm(0.1, 1.5))
    expected = layer(field, kernel, chi, denoised).susceptibility
    np.testing.assert_allclose(found, expected, atol=1e-5)
