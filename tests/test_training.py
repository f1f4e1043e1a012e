import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from spinet_tf import DenoiserOnly
from spinet_tf.errors import InputError
from spinet_tf.folder_lock import locked
from spinet_tf.model_files import load_model
from spinet_tf.training import run as training_run
from spinet_tf.training.csv_log import best_in_log
from spinet_tf.training.run import train
from tests.trainings import RECIPE, assert_same_weights, network, run, stored


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


def test_processes_that_disagree_do_not_train(tmp_path, monkeypatch):
    def disagree(_, asked, completed, folder):
        assert (asked["seed"], asked["steps"]) == (RECIPE.seed, RECIPE.steps)
        assert (completed, folder) == (0, tmp_path)
        raise InputError("they disagree")

    monkeypatch.setattr(training_run, "check_agreement", disagree)
    with pytest.raises(InputError, match="they disagree"):
        run(tmp_path)
    assert not (tmp_path / "log.csv").exists()


def test_one_training_a_folder(tmp_path):
    with locked(tmp_path / "run", pytest.fail):
        with pytest.raises(InputError, match="run: another training runs in it"):
            run(tmp_path / "run")
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
    with locked(tmp_path / "run", pytest.fail):
        pass


def test_volumes_of_unlike_sizes_make_no_batch(tmp_path):
    mixed = stored(2, size=12).concatenate(stored(2, size=14))
    recipe = RECIPE._replace(steps=2, batch_size=4)
    told = "batch_size: expected one volume for each replica, .* unlike sizes, got 4"
    with pytest.raises(InputError, match=told):
        train(network(), mixed, stored(1), recipe, tmp_path, verbose=0)


def test_killed_in_its_first_epoch_it_starts_again(finished, tmp_path):
    """The same seed gives the same weights."""
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
