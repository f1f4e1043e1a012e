import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from spinet_tf import SpiNetQSM
from tests.networks import SMALL, VARIANTS, scan, small_model


@pytest.mark.parametrize("variant", VARIANTS)
def test_output_is_real_masked_and_finite(variant):
    inputs = scan()
    chi = small_model(**VARIANTS[variant])(inputs).numpy()
    assert chi.shape == inputs["local_field"].shape
    assert np.isfinite(chi).all()
    assert (chi[inputs["mask"] == 0] == 0).all()
    assert chi.std() > 0


@pytest.mark.parametrize("fill_outside", [False, True])
def test_whether_the_field_outside_the_mask_matters(fill_outside):
    model = small_model(fill_outside=fill_outside)
    inputs = scan()
    noise = np.random.default_rng(1).standard_normal(inputs["mask"].shape)
    outside = (0.02 * (1 - inputs["mask"]) * noise).astype("float32")
    changed = {**inputs, "local_field": inputs["local_field"] + outside}
    difference = np.abs(model(changed) - model(inputs)).max()
    assert (difference == 0) == fill_outside


def test_one_denoiser_is_shared_by_the_unrolls():
    three, one = (small_model(unrolls=k) for k in (3, 1))
    assert three.count_params() == one.count_params()


def test_variants_differ_in_what_the_denoiser_means():
    inputs = {"dtype": "float32", **SMALL, "chi_mean": 0.01, "chi_std": 0.02}
    chi = tf.random.stateless_normal((1, 5, 6, 4, 1), (0, 1))
    direct = small_model(residual=False, **inputs)
    residual = small_model(residual=True, **inputs)
    normalised = (chi - 0.01) / 0.02
    n_w = direct.denoiser(normalised)
    np.testing.assert_allclose(direct.denoise(chi), n_w * 0.02 + 0.01, atol=1e-5)
    np.testing.assert_allclose(residual.denoise(chi), chi - n_w * 0.02, atol=1e-5)


def test_batch_of_different_geometries_equals_one_by_one():
    model = small_model()
    inputs = scan()
    together = model(inputs).numpy()
    for i in range(2):
        alone = model({name: x[i : i + 1] for name, x in inputs.items()})
        np.testing.assert_allclose(together[i : i + 1], alone, atol=1e-6)
    swapped = {**inputs, "voxel_size": inputs["voxel_size"][::-1]}
    assert np.abs(model(swapped) - together).max() > 1e-4


def test_zero_sample_in_a_batch_stays_zero():
    """With a CNN that answers zero to zero, as it does without its statistics."""
    model = small_model(initial_p=1.3)
    inputs = scan()
    inputs["local_field"][1] = 0
    chi = model(inputs).numpy()
    assert np.isfinite(chi).all()
    np.testing.assert_array_equal(chi[1], 0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_by_finite_differences(variant):
    options = {"tolerance": 1e-13, "max_iterations": 300, **VARIANTS[variant]}
    options["adaptive_penalty"] = False  # what it depends on gets no gradient
    model = small_model(dtype="float64", **options)
    inputs = scan(dtype=np.float64)
    rng = np.random.default_rng(1)
    upstream = rng.standard_normal(inputs["local_field"].shape)
    variables = model.trainable_variables
    if model.p == 2:  # the end of its range, where only one side exists
        variables = [v for v in variables if v.name != "p_decay"]
    direction = [rng.standard_normal(v.shape) for v in variables]
    start = [v.numpy() for v in variables]

    @tf.function
    def loss():
        return tf.reduce_sum(upstream * model(inputs))

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, [v.value for v in variables])

    def at(step):
        for v, x, d in zip(variables, start, direction, strict=True):
            v.assign(x + step * d)
        return float(loss())

    expected = (at(1e-7) - at(-1e-7)) / 2e-7
    actual = sum(
        float(tf.reduce_sum(g * d)) for g, d in zip(gradients, direction, strict=True)
    )
    assert actual == pytest.approx(expected, rel=1e-4)


def test_training_moves_every_weight_and_lowers_the_loss():
    model = small_model(dropout=0.1)
    inputs = scan()
    target = 0.05 * inputs["mask"]
    model.compile(keras.optimizers.Adam(1e-2), "mae", jit_compile=False)
    before = [v.numpy() for v in model.trainable_variables]
    history = model.fit(inputs, target, epochs=8, batch_size=2, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert np.isfinite(variable.numpy()).all(), variable.path
        assert np.abs(variable.numpy() - value).max() > 0, variable.path


@pytest.mark.parametrize("variant", VARIANTS)
def test_keras_file_round_trip(variant, tmp_path):
    model = small_model(**VARIANTS[variant])
    path = tmp_path / "model.keras"
    model.save(path)
    copy = keras.saving.load_model(path, safe_mode=True)
    assert copy.get_config() == model.get_config()
    inputs = scan()
    np.testing.assert_array_equal(copy(inputs), model(inputs))


def test_keras_file_needs_nothing_but_the_import(tmp_path):
    small_model().save(tmp_path / "model.keras")
    code = (
        "import spinet_tf, keras; "
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r}); "
        "print(type(model).__name__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "SpiNetQSM"
    assert result.stderr == ""


def test_rounds_hand_on_how_much_of_the_field_to_take():
    model = small_model(**VARIANTS["shipped"], initial_lambda=0.02)
    inputs = scan("mixed")
    inputs["local_field"][:, 3, 3, 3] += 1
    problem = model.prepare(inputs)
    given, fit = [], model.fit_data
    model.fit_data = lambda *arguments: given.append(arguments[-1]) or fit(*arguments)
    first, second = model.rounds(problem)
    np.testing.assert_array_equal(given[0], problem.mask)
    np.testing.assert_array_equal(given[1], first.trust)
    lost = problem.mask.numpy() > first.trust.numpy()
    assert lost.any(axis=(1, 2, 3, 4)).all()


@pytest.mark.parametrize("steps", [1, 2])
def test_nothing_is_left_out_in_one_step(steps):
    options = {**VARIANTS["shipped"], "mm_steps": steps}
    model = small_model(**options, initial_lambda=0.02)
    inputs = scan("mixed")
    inputs["local_field"][:, 3, 3, 3] += 1
    *_, last = model.rounds(model.prepare(inputs))
    assert model.leaves_out == (steps > 1)
    assert (last.trust.numpy() < inputs["mask"]).any() == (steps > 1)


def test_unroll_reports_the_solver():
    model = small_model(tolerance=1e-5)
    problem = model.prepare(scan())
    unroll = next(model.rounds(problem))
    assert unroll.iterations.shape == (2,)
    assert (unroll.iterations.numpy() > 0).all()
    assert (unroll.relative_residual.numpy() <= 1e-5).all()


@pytest.mark.parametrize(
    "bad",
    [
        {"unrolls": 0},
        {"channels": 3},
        {"chi_std": 0},
        {"mm_steps": 0},
        {"dtype": "float16"},
    ],
)
def test_bad_arguments_name_themselves(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        SpiNetQSM(**bad)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mask", lambda x: x[:, :1]),
        ("mask", lambda x: x[:1]),
        ("local_field", lambda x: x[..., 0]),
        ("voxel_size", lambda x: x[:1]),
        ("voxel_size", lambda x: x[0]),
        ("b0_direction", lambda x: x[:, :2]),
    ],
)
def test_inputs_are_not_broadcast(name, change):
    inputs = scan()
    inputs[name] = change(inputs[name])
    with pytest.raises(ValueError, match=name if name != "local_field" else "rank 5"):
        small_model()(inputs)


def test_a_missing_input_is_named():
    inputs = scan()
    del inputs["mask"]
    with pytest.raises(ValueError, match="inputs: missing mask"):
        small_model()(inputs)


def test_a_field_alone_is_not_enough():
    with pytest.raises(ValueError, match="inputs: expected a dict of local_field, ma"):
        small_model()(scan()["local_field"])


def test_complex_fields_are_refused():
    inputs = scan()
    inputs["local_field"] = inputs["local_field"] + 1j
    with pytest.raises(ValueError, match="local_field: expected real"):
        small_model()(inputs)


def test_xla_compiles_it():
    """As Keras's own `fit` and `predict` ask for where there is a GPU."""
    model, inputs = small_model(**VARIANTS["shipped"]), scan()
    compiled = tf.function(model, jit_compile=True, autograph=False)
    expected = model(inputs).numpy()
    atol = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(compiled(inputs), expected, atol=atol)
