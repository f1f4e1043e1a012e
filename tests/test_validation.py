"""Validation, and the models that it saves."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.evaluate import evaluate
from spinet_tf.model_files import load_model
from spinet_tf.training import validation as validation_module
from spinet_tf.training.run import compiled_trainer
from spinet_tf.training.validation import CHOSEN_BY, Validation, averaged_weights
from tests.trainings import RECIPE, dense, network

VOXEL_SIZE = (0.8, 1.0, 1.5)


def test_weights_are_put_back_after_an_error():
    model = dense(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    model.layers[0].bias.assign([3.0])
    with pytest.raises(KeyError), averaged_weights(model):
        assert float(model.layers[0].bias[0]) == 0
        raise KeyError
    assert float(model.layers[0].bias[0]) == 3


def test_averaged_weights_meet_their_constraints():
    """The average is taken before p_decay, which the gradient pulls below 0, is 0."""
    trainer = compiled_trainer(network(), RECIPE)
    variables = trainer.trainable_variables
    (index,) = (i for i, v in enumerate(variables) if v.name == "p_decay")
    variables[index].assign(0)
    gradients = [
        tf.cast(i == index, v.dtype) * tf.ones(v.shape) for i, v in enumerate(variables)
    ]
    trainer.optimizer.apply(gradients, variables)
    assert trainer.optimizer._model_variables_moving_average[index].numpy() < 0
    with averaged_weights(trainer):
        assert variables[index].numpy() == 0


def test_best_is_the_best_and_both_are_averages(tmp_path, monkeypatch):
    trainer = compiled_trainer(network(), RECIPE)
    check = Validation([], tmp_path)
    check.set_model(trainer)
    averages = trainer.optimizer._model_variables_moving_average
    for epoch, value in enumerate((30.0, 10.0, 20.0)):
        monkeypatch.setattr(check, "_evaluate", lambda _, v=value: {CHOSEN_BY: v})
        for average in averages:
            average.assign(tf.fill(average.shape, 1.0 + epoch))
        check.on_epoch_end(epoch, {})
    for name, epoch in (("best", 1), ("last", 2)):
        for weight in load_model(tmp_path / f"{name}.keras").trainable_variables:
            np.testing.assert_array_equal(weight, np.full(weight.shape, 1.0 + epoch))
    assert not (trainer.trainable_variables[0].numpy() == 3.0).any()


def test_validation_tells_the_means_over_its_volumes(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    mask = np.zeros((1, 12, 12, 12, 1), "float32")
    mask[:, 2:-2, 3:-2, 2:-3] = 1
    truths = [0.03 * mask * rng.standard_normal(mask.shape) for _ in range(2)]
    fields = [
        t + s * rng.standard_normal(mask.shape)
        for t, s in zip(truths, (1e-2, 3e-2), strict=True)
    ]
    batches = [
        (
            {
                "local_field": tf.constant(f),
                "mask": tf.constant(mask),
                "voxel_size": tf.constant([VOXEL_SIZE]),
            },
            tf.constant(t),
        )
        for f, t in zip(fields, truths, strict=True)
    ]

    def reconstruct(inputs):
        field = inputs["local_field"]
        iterations = tf.cast(100 * tf.math.reduce_std(field), tf.int32)[tf.newaxis]
        return SimpleNamespace(susceptibility=field, iterations=iterations)

    monkeypatch.setattr(validation_module, "save_model", lambda *_: None)
    monkeypatch.setattr(validation_module.tf, "function", lambda f: f)
    pictures = []
    monkeypatch.setattr(
        Validation, "_write_picture", lambda self, *a: pictures.append(a)
    )
    check = Validation(batches, tmp_path)
    model = SimpleNamespace(
        network=SimpleNamespace(reconstruct=reconstruct, lambda_=0.1, p=1.9),
        optimizer=SimpleNamespace(use_ema=False),
    )
    check.set_model(model)
    logs = {}
    check.on_epoch_end(0, logs)
    results = [
        evaluate(f[0, ..., 0], t[0, ..., 0], mask[0, ..., 0])
        for f, t in zip(fields, truths, strict=True)
    ]
    for name in ("nrmse", "hfen", "xsim", "correlation"):
        expected = np.mean([result["challenge"][name] for result in results])
        assert logs[f"val_{name}"] == pytest.approx(expected)
    for name in ("rmse", "ssim"):
        expected = np.mean([result["release"][name] for result in results])
        assert logs[f"val_release_{name}"] == pytest.approx(expected)
    iterations = [int(reconstruct(inputs).iterations[0]) for inputs, _ in batches]
    assert logs["val_solver_iterations"] == np.mean(iterations)
    assert (logs["lambda"], logs["p"]) == (0.1, 1.9)
    assert check.best == logs["val_nrmse"]
    (picture,) = pictures
    np.testing.assert_array_equal(picture[0], fields[0][0, ..., 0])
    np.testing.assert_array_equal(picture[3], np.float32(VOXEL_SIZE))


def test_the_picture_shows_the_map_minus_the_truth(tmp_path, monkeypatch):
    shown = {}

    def three_planes(path, rows, mask, voxel_size):
        assert voxel_size == VOXEL_SIZE
        shown.update(rows)
        keras.utils.save_img(path, np.zeros((2, 2, 3)))

    monkeypatch.setattr(validation_module, "three_planes", three_planes)
    chi, truth = np.full((2, 2, 2), 3.0), np.full((2, 2, 2), 1.0)
    Validation([], tmp_path)._write_picture(chi, truth, truth, VOXEL_SIZE, 0)
    assert {name: row[0, 0, 0] for name, row in shown.items()} == {
        **{"reconstruction": 3.0, "truth": 1.0, "error": 2.0},
    }


def test_volumes_are_read_anew_for_every_validation(tmp_path, monkeypatch):
    mask = np.zeros((1, 8, 8, 8, 1), "float32")
    mask[:, 1:-1, 1:-1, 2:-1] = 1
    fields = np.random.default_rng(0).standard_normal((3, *mask.shape))
    voxel_sizes = np.ones((1, 3), "float32")
    read = []

    def batches():
        for field in fields:
            read.append(field)
            field = field.astype("float32")
            scan = {"local_field": field, "mask": mask, "voxel_size": voxel_sizes}
            yield scan, 0.9 * field * mask

    spec = tf.TensorSpec(mask.shape)
    scan = {"local_field": spec, "mask": spec, "voxel_size": tf.TensorSpec((1, 3))}
    signature = (scan, spec)
    stored = tf.data.Dataset.from_generator(batches, output_signature=signature)
    check = Validation(stored, tmp_path)
    assert len(read) == 3  # so that what cannot be read is told at once
    monkeypatch.setattr(check, "_write_picture", lambda *_: None)
    check._reconstruct = lambda inputs: SimpleNamespace(
        susceptibility=inputs["local_field"], iterations=[2]
    )
    first = check._evaluate(0)
    assert len(read) == 6
    assert check._evaluate(1) == first and len(read) == 9
