import keras
import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.schatten_norm import SMALLEST_P, SchattenNorm


@pytest.fixture
def difference():
    rng = np.random.default_rng(0)
    difference = 0.05 * rng.standard_normal((2, 3, 4, 5, 2))
    difference[0, 1, 2, 3] = 0
    return difference


def test_p_two_gives_unit_weights(difference):
    norm = SchattenNorm(initial_p=2.0, dtype="float64")
    assert norm.p == 2
    np.testing.assert_array_equal(norm(difference), np.ones((2, 3, 4, 5, 1)))


@pytest.mark.parametrize("p", [0.3, 1.0, 1.5838])
def test_weights_are_those_of_the_modulus(p, difference):
    norm = SchattenNorm(initial_p=p, epsilon=1e-9, dtype="float64")
    modulus = np.abs(difference[..., :1] + 1j * difference[..., 1:])
    nonzero = modulus > 0
    weights = norm(difference).numpy()
    np.testing.assert_allclose(weights[nonzero], modulus[nonzero] ** (p - 2), rtol=1e-6)
    # W^2 d^2 majorizes |d|^p.
    np.testing.assert_allclose(
        weights[nonzero] * modulus[nonzero] ** 2, modulus[nonzero] ** p, rtol=1e-6
    )


@pytest.mark.parametrize("p", [SMALLEST_P, 1.0, 2.0])
def test_values_and_gradients_are_finite_where_chi_is_z(p, difference):
    norm = SchattenNorm(initial_p=p)
    difference = tf.constant(difference, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(difference)
        weights = norm(difference)
    assert np.isfinite(weights).all()
    gradients = tape.gradient(weights, [difference, norm.p_decay.value])
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("value", [-50.0, -1.0, 0.0, 0.5, 50.0])
def test_p_and_lambda_stay_in_range_whatever_the_variables(value):
    norm = SchattenNorm()
    norm.p_decay.assign(value)
    norm.log_weight.assign(value)
    assert 0 < float(norm.p) <= 2
    assert float(norm.lambda_) > 0


def test_p_two_is_reached_and_left_by_training():
    norm = SchattenNorm(initial_p=1.9)
    optimizer = keras.optimizers.SGD(0.1)
    variable = norm.p_decay

    def step(direction):
        with tf.GradientTape() as tape:
            loss = direction * norm.p
        optimizer.apply([tape.gradient(loss, variable.value)], [variable])

    for _ in range(5):
        step(-1.0)
    assert float(norm.p) == 2
    step(1.0)
    assert float(norm.p) < 2


def test_initial_values_round_trip_and_learn_p():
    norm = SchattenNorm(initial_lambda=0.0378, initial_p=1.5838, learn_p=False)
    assert float(norm.lambda_) == pytest.approx(0.0378)
    assert float(norm.p) == pytest.approx(1.5838)
    assert [v.name for v in norm.trainable_variables] == ["log_weight"]
    arguments = {"initial_lambda": 0.2, "initial_p": 1.5, "epsilon": 1e-4}
    arguments["learn_p"] = False
    copy = SchattenNorm.from_config(SchattenNorm(**arguments).get_config())
    config = copy.get_config()
    assert {name: config[name] for name in arguments} == arguments


def test_weights_have_the_dtype_of_the_difference():
    """Whatever that of the variables, which a global policy may set."""
    for dtype in ("float32", "float64"):
        difference = tf.fill((1, 2, 2, 2, 1), tf.constant(0.1, dtype))
        for variables in ("float32", "float64"):
            norm = SchattenNorm(initial_p=1.5, dtype=variables)
            assert norm(difference).dtype == dtype


@pytest.mark.parametrize(
    "bad",
    [
        {"initial_lambda": 0},
        {"initial_p": 0},
        {"initial_p": 2.1},
        {"epsilon": 0},
        {"initial_lambda": float("nan")},
    ],
)
def test_bad_arguments_name_themselves(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        SchattenNorm(**bad)


def test_defaults_are_as_documented():
    norm = SchattenNorm()
    assert float(norm.lambda_) == pytest.approx(0.5)
    assert (float(norm.p), norm.learn_p, norm.epsilon) == (2, True, 1e-5)


def test_what_is_trained_beside_p_is_the_weight_at_a_typical_difference():
    norm = SchattenNorm(0.2, 1.5, epsilon=1e-9, dtype="float64")
    at_typical = norm.lambda_ * norm(np.full((1, 1, 1, 1, 1), 0.01))
    assert float(norm.log_weight) == pytest.approx(np.log(at_typical.numpy().item()))
    assert float(norm.log_weight) == pytest.approx(np.log(0.2 * 0.01**-0.5))


def test_p_does_not_fall_below_the_smallest():
    norm = SchattenNorm()
    norm.p_decay.assign(50.0)
    assert SMALLEST_P == 1e-3
    assert float(norm.p) == pytest.approx(SMALLEST_P)
