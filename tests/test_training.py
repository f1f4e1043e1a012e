import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from spinet_tf import DenoiserOnly, SpiNetQSM
from spinet_tf.errors import InputError
from spinet_tf.field_simulation import FieldErrors
from spinet_tf.model_files import load_model
from spinet_tf.training.checkpoint import Checkpoint
from spinet_tf.training.run import Recipe, best_in_log, train
from spinet_tf.training.run_folder import LOCK, claimed
from spinet_tf.training.validation import averaged_weights

RECIPE = Recipe(steps=6, steps_per_epoch=2, warmup_steps=2, ema_momentum=0.9)


def stored(count=3, size=12, seed=0):
    rng = np.random.default_rng(seed)
    mask = np.zeros((count, size, size, size), np.uint8)
    mask[:, 2:-2, 1:-2, 2:-3] = 1
    chi = (0.03 * mask * rng.standard_normal(mask.shape)).astype("float32")
    return tf.data.Dataset.from_tensor_slices(
        {
            "susceptibility": chi,
            "mask": mask,
            "white_matter": 255 * mask,
            "voxel_size": np.ones((count, 3), "float32"),
        }
    )


def network(seed=0):
    keras.utils.set_random_seed(seed)
    return SpiNetQSM(
        filters=4, blocks=1, unrolls=2, dropout=0.1, tolerance=1e-3, max_iterations=6
    )


def run(folder, recipe=RECIPE, model=None):
    model = model or network()
    return model, train(model, stored(), stored(1, seed=1), recipe, folder, verbose=0)


def assert_same_weights(first, second, tolerance):
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    model, logs = run(folder)
    return folder, model, logs


def test_logs_models_and_checkpoint(finished):
    folder, model, logs = finished
    names = {"loss", "susceptibility_loss", "field_loss", "gradient_loss"}
    names |= {"val_nrmse", "val_xsim", "val_release_rmse", "lambda", "p", "best"}
    assert names <= set(logs)
    assert all(np.isfinite(value) for value in logs.values())
    lines = (folder / "log.csv").read_text().splitlines()
    assert len(lines) == 1 + 3
    assert best_in_log(folder / "log.csv") == logs["best"] <= logs["val_nrmse"]
    checkpoints = [path.name for path in (folder / "checkpoints").iterdir()]
    assert checkpoints == ["epoch-3.npz"]
    for name in ("best.keras", "last.keras"):
        assert load_model(folder / name).get_config() == model.get_config()
    assert list((folder / "tensorboard").rglob("events*"))
    assert list((folder / "pictures").glob("events*"))


def test_same_seed_same_weights(finished, tmp_path):
    _, model, _ = finished
    again, _ = run(tmp_path)
    assert_same_weights(again, model, 1e-6)


def test_recomputing_the_denoiser_comes_to_the_same_weights(finished, tmp_path):
    _, model, _ = finished
    again, _ = run(tmp_path, RECIPE._replace(recompute_denoiser=True))
    assert_same_weights(again, model, 1e-5)


def test_resumes_to_the_same_weights(finished, tmp_path):
    _, model, logs = finished

    class Killed(Exception):
        pass

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations >= 5:
                raise Killed

    real = keras.Model.fit

    def fit(self, *args, callbacks, **kwargs):
        return real(self, *args, callbacks=[*callbacks, Kill()], **kwargs)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(keras.Model, "fit", fit)
        run(tmp_path)
    assert (tmp_path / "checkpoints" / "epoch-2.npz").exists()
    resumed, resumed_logs = run(tmp_path, model=network(seed=5))
    assert_same_weights(resumed, model, 1e-6)
    assert resumed_logs["val_nrmse"] == pytest.approx(logs["val_nrmse"], rel=1e-4)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1 + 3


def test_the_averaged_weights_are_what_comes_out(finished):
    folder, model, _ = finished
    assert_same_weights(load_model(folder / "last.keras"), model, 1e-6)
    with np.load(folder / "checkpoints" / "epoch-3.npz") as file:
        raw = [file[f"arr_{i}"] for i in range(len(model.trainable_variables))]
    averaged = [v.numpy() for v in model.trainable_variables]
    assert max(np.abs(a - b).max() for a, b in zip(raw, averaged, strict=True)) > 1e-6


def test_averaged_weights_are_put_back():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    for _ in range(3):
        model.train_on_batch(np.ones((4, 2), "float32"), np.ones((4, 1)))
    own = model.get_weights()
    with averaged_weights(model):
        averaged = model.get_weights()
    assert np.abs(own[0] - averaged[0]).max() > 1e-4
    for a, b in zip(own, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_checkpoint_of_another_network(finished, tmp_path):
    shutil.copytree(finished[0] / "checkpoints", tmp_path / "checkpoints")
    other = SpiNetQSM(filters=5, blocks=1, unrolls=2)
    with pytest.raises(InputError, match="training, with filters 4 instead of 5"):
        run(tmp_path, model=other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "other heads"}, "with data  instead of other heads; use another"),
        ({"learning_rate": 0.5}, "with learning_rate 0.002 instead of 0.5"),
        ({"errors": FieldErrors(gain=0.5)}, "with errors .* instead of .*'gain': 0.5"),
    ],
)
def test_a_checkpoint_of_another_recipe(finished, tmp_path, change, message):
    shutil.copytree(finished[0] / "checkpoints", tmp_path / "checkpoints")
    (tmp_path / "flags.txt").write_text("--of=the_first")
    with pytest.raises(InputError, match=message):
        train(
            *(network(), stored(), stored(1), RECIPE._replace(**change), tmp_path),
            flagfile="--of=the_second",
        )
    assert (tmp_path / "flags.txt").read_text() == "--of=the_first"


def test_one_training_a_folder(tmp_path):
    with claimed(tmp_path / "run"):
        with pytest.raises(InputError, match="run: another training runs in it"):
            run(tmp_path / "run")
        assert [path.name for path in (tmp_path / "run").iterdir()] == [LOCK]
    with claimed(tmp_path / "run"):
        pass


def test_a_checkpoint_that_is_written_again_stays(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(model)
    for _ in range(2):
        checkpoint.on_epoch_end(0)
        assert [path.name for path in tmp_path.iterdir()] == ["epoch-1.npz"]


def test_an_empty_checkpoint(tmp_path):
    (tmp_path / "epoch-1.npz").touch()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(InputError, match="epoch-1.npz: damaged"):
        Checkpoint(tmp_path).restore(model)


def test_nan_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    run(tmp_path)
    broken = stored().map(
        lambda e: {**e, "susceptibility": e["susceptibility"] * np.nan}
    )
    longer = RECIPE._replace(steps=10)
    with pytest.raises(FloatingPointError, match="the loss became nan"):
        train(network(), broken, stored(1, seed=1), longer, tmp_path, verbose=0)
    names = [path.name for path in (tmp_path / "checkpoints").iterdir()]
    assert names == ["epoch-3.npz"]


def test_a_nan_weight_is_not_checkpointed(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0)
    model.layers[0].bias.assign([np.nan])
    with pytest.raises(FloatingPointError, match="weight"):
        checkpoint.on_epoch_end(1)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-1.npz"]


def test_killed_in_its_first_epoch_it_starts_again(finished, tmp_path):
    _, model, _ = finished
    (tmp_path / "log.csv").touch()  # what CSVLogger leaves
    again, _ = run(tmp_path)
    assert_same_weights(again, model, 1e-6)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1 + 3


def test_a_finished_run_starts_and_has_nothing_to_do(finished, tmp_path):
    folder, model, logs = finished
    shutil.copytree(folder, tmp_path / "copy")
    again, again_logs = run(tmp_path / "copy", model=network(seed=3))
    assert again_logs["best"] == logs["best"]


def test_a_damaged_checkpoint(finished, tmp_path):
    shutil.copytree(finished[0] / "checkpoints", tmp_path / "checkpoints")
    path = tmp_path / "checkpoints" / "epoch-3.npz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="epoch-3.npz: damaged"):
        run(tmp_path)


def test_another_seed_cannot_resume(finished, tmp_path):
    shutil.copytree(finished[0] / "checkpoints", tmp_path / "checkpoints")
    with pytest.raises(InputError, match="training, with seed 0 instead of 1"):
        run(tmp_path, RECIPE._replace(seed=1))


def test_the_cnn_without_physics_trains(tmp_path):
    keras.utils.set_random_seed(0)
    model = DenoiserOnly(filters=4, blocks=1)
    before = [np.array(weight) for weight in model.denoiser.get_weights()]
    _, logs = run(tmp_path, RECIPE._replace(steps=2), model)
    assert np.isfinite(logs["loss"])
    after = model.denoiser.get_weights()
    assert any(np.abs(a - b).max() > 0 for a, b in zip(before, after, strict=True))


@pytest.mark.slow
def test_killed_script_resumes_to_the_same_result(tmp_path):
    """`kill -9` at any moment, on the script itself."""

    def start(run_dir):
        return subprocess.Popen(
            [
                *(sys.executable, "train.py", f"--run_dir={run_dir}"),
                f"--data_dir={tmp_path / 'data'}",
                "--dataset=qsm_brain/patches_tiny",
                "--validation=qsm_brain/patches_tiny",
                *("--filters=4", "--blocks=1", "--steps=12", "--steps_per_epoch=3"),
            ],
            stdout=subprocess.DEVNULL,
        )

    assert start(tmp_path / "whole").wait() == 0
    killed = start(tmp_path / "killed")
    checkpoints = tmp_path / "killed" / "checkpoints"
    while not (checkpoints.exists() and list(checkpoints.glob("epoch-*"))):
        time.sleep(0.2)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (checkpoints / "epoch-4.npz").exists()
    assert start(tmp_path / "killed").wait() == 0
    whole, resumed = (
        load_model(tmp_path / name / "last.keras") for name in ("whole", "killed")
    )
    assert_same_weights(whole, resumed, 1e-6)
