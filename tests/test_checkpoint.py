"""What is kept for a training to go on from, and what is refused."""

import errno
import fcntl
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from spinet_tf import SpiNetQSM
from spinet_tf.errors import InputError
from spinet_tf.field_simulation import FieldErrors
from spinet_tf.folder_lock import locked
from spinet_tf.losses import LossWeights
from spinet_tf.training.checkpoint import Checkpoint, StopAtNaN
from spinet_tf.training.run import train
from spinet_tf.training.trainer import Trainer
from tests.trainings import RECIPE, dense, network, run, save_checkpoint, stored


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the checkpoint of a training after three epochs."""
    folder = tmp_path_factory.mktemp("run")
    save_checkpoint(folder)
    return folder


def test_a_checkpoint_of_another_network(finished, tmp_path):
    shutil.copytree(finished / "checkpoints", tmp_path / "checkpoints")
    other = SpiNetQSM(filters=5, blocks=1, unrolls=2)
    with pytest.raises(InputError, match="training, with filters 4 instead of 5"):
        run(tmp_path, model=other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "training, with seed 0 instead of 1"),
        ({"scans": "others"}, "with scans  instead of others"),
        ({"batch_size": 2}, "with batch_size 1 instead of 2"),
        ({"steps_per_epoch": 3}, "with steps_per_epoch 2 instead of 3"),
        ({"warmup_steps": 1}, "with warmup_steps 2 instead of 1"),
        ({"clip_norm": 0.5}, "with clip_norm 1.0 instead of 0.5"),
        ({"ema_momentum": 0.5}, "with ema_momentum 0.9 instead of 0.5"),
        ({"measured_fields": 0.5}, "with measured_fields 0.0 instead of 0.5"),
        ({"loss_weights": LossWeights(2)}, "with loss_weights .* instead of"),
        ({"data": "other heads"}, "with data  instead of other heads; use another"),
        ({"initial": "random"}, "with initial  instead of random"),
        ({"learning_rate": 0.5}, "with learning_rate 0.002 instead of 0.5"),
        ({"errors": FieldErrors(gain=0.5)}, "with errors .* instead of .*'gain': 0.5"),
    ],
)
def test_a_checkpoint_of_another_recipe(finished, tmp_path, change, message):
    shutil.copytree(finished / "checkpoints", tmp_path / "checkpoints")
    (tmp_path / "flags.txt").write_text("--of=the_first")
    with pytest.raises(InputError, match=message):
        train(
            *(network(), stored(), stored(1), RECIPE._replace(**change), tmp_path),
            flagfile="--of=the_second",
        )
    assert (tmp_path / "flags.txt").read_text() == "--of=the_first"


def test_a_checkpoint_that_tells_less(tmp_path):
    """As those do that were written before there was more to tell."""
    first = dense()
    checkpoint = Checkpoint(tmp_path, {"seed": 0})
    checkpoint.set_model(first)
    checkpoint.on_epoch_end(0)
    known = {"seed": 0, "initial": "random"}
    assert Checkpoint(tmp_path, known).restore(dense()) == 1


def test_a_checkpoint_that_is_written_again_stays(tmp_path):
    model = dense()
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(model)
    for _ in range(2):
        checkpoint.on_epoch_end(0)
        assert [path.name for path in tmp_path.iterdir()] == ["epoch-1.npz"]


def test_a_checkpoint_that_cannot_be_opened_is_not_called_damaged(tmp_path):
    (tmp_path / "epoch-1.npz").mkdir()
    with pytest.raises(IsADirectoryError, match="epoch-1.npz"):
        Checkpoint(tmp_path).restore(dense())


def test_an_empty_checkpoint(tmp_path):
    (tmp_path / "epoch-1.npz").touch()
    with pytest.raises(InputError, match="epoch-1.npz: damaged"):
        Checkpoint(tmp_path).restore(dense())


def test_nan_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    save_checkpoint(tmp_path)
    broken = stored().map(
        lambda e: {**e, "susceptibility": e["susceptibility"] * np.nan}
    )
    longer = RECIPE._replace(steps=10)
    with pytest.raises(FloatingPointError, match="the loss became nan"):
        train(network(), broken, stored(1, seed=1), longer, tmp_path, verbose=0)
    names = [path.name for path in (tmp_path / "checkpoints").iterdir()]
    assert names == ["epoch-3.npz"]


def test_a_nan_weight_ends_the_training():
    model = dense()
    stop = StopAtNaN()
    stop.set_model(model)
    stop.on_epoch_end(0)
    model.layers[0].bias.assign([np.nan])
    with pytest.raises(FloatingPointError, match="weight"):
        stop.on_epoch_end(1)


def test_nothing_is_written_of_nan_weights(tmp_path, monkeypatch):
    last_step = Trainer.train_step

    def overflow(self, data):
        results = last_step(self, data)
        self.trainable_variables[0].assign(self.trainable_variables[0] * np.nan)
        return results

    monkeypatch.setattr(Trainer, "train_step", overflow)
    with pytest.raises(FloatingPointError, match="weight"):
        run(tmp_path, RECIPE._replace(steps=1, steps_per_epoch=1))
    assert not list(tmp_path.glob("*.keras"))
    assert not list(tmp_path.glob("checkpoints/*"))


def test_a_damaged_checkpoint(finished, tmp_path):
    shutil.copytree(finished / "checkpoints", tmp_path / "checkpoints")
    path = tmp_path / "checkpoints" / "epoch-3.npz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="epoch-3.npz: damaged"):
        run(tmp_path)


def saved(model, folder, *epochs):
    checkpoint = Checkpoint(folder)
    checkpoint.set_model(model)
    for epoch in epochs:
        checkpoint.on_epoch_end(epoch)
    return checkpoint


def test_the_tenth_checkpoint_is_newer_than_the_ninth(tmp_path):
    model = dense()
    saved(model, tmp_path, 8)
    shutil.copy(tmp_path / "epoch-9.npz", tmp_path / "kept.npz")
    model.layers[0].bias.assign([3.0])
    saved(model, tmp_path, 9)
    shutil.move(tmp_path / "kept.npz", tmp_path / "epoch-9.npz")
    (tmp_path / "notes.txt").touch()
    other = dense()
    assert Checkpoint(tmp_path).restore(other) == 10
    assert float(other.layers[0].bias[0]) == 3.0


def test_a_checkpoint_that_fails_leaves_the_one_before(tmp_path, monkeypatch):
    checkpoint = saved(dense(), tmp_path, 0)

    def killed(stream, *_, **__):
        stream.write(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.on_epoch_end(1)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-1.npz"]


def test_a_checkpoint_of_another_optimizer(tmp_path):
    saved(dense(), tmp_path, 0)
    with pytest.raises(InputError, match="epoch-1.npz: is of another optimizer"):
        Checkpoint(tmp_path).restore(dense("adam"))


def test_an_infinite_loss_stops():
    with pytest.raises(FloatingPointError, match="the loss became inf in step 3"):
        stop = StopAtNaN()
        stop.set_model(SimpleNamespace(optimizer=SimpleNamespace(iterations=3)))
        stop.on_train_batch_end(0, {"loss": float("inf")})


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(tmp_path, pytest.fail):
        pass
