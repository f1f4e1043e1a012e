"""What a training goes on with."""

import shutil
from types import SimpleNamespace

import keras
import pytest

from spinet_tf import SpiNetQSM
from spinet_tf.errors import InputError
from spinet_tf.field_simulation import FieldErrors
from spinet_tf.training import run as run_module
from spinet_tf.training.checkpoint import Checkpoint, StopAtNaN
from spinet_tf.training.csv_log import best_in_log, keep_log_until
from spinet_tf.training.run import train
from spinet_tf.training.validation import CHOSEN_BY, Validation
from tests import trainings
from tests.trainings import RECIPE, network, save_checkpoint, stored


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A checkpoint after three epochs of RECIPE, as training leaves it, and its log."""
    folder = tmp_path_factory.mktemp("run")
    save_checkpoint(folder)
    rows = [f"epoch,{CHOSEN_BY}", "0,30.0", "1,20.0", "2,25.0", "3,1.0"]
    (folder / "log.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def resumed(finished, tmp_path, monkeypatch):
    """Resumes that checkpoint; what Keras's `fit` would have been called with."""
    shutil.copytree(finished, tmp_path / "run")
    monkeypatch.setattr(run_module, "training_stream", lambda *a, **k: (a, k))
    monkeypatch.setattr(run_module, "validation_batches", lambda *a: [a])
    seen = {}

    def fit(self, stream, callbacks, **arguments):
        seen.update(arguments, stream=stream, callbacks=callbacks)
        return SimpleNamespace(history={"loss": [3.0, 1.0]})

    monkeypatch.setattr(keras.Model, "fit", fit)

    def resume(model=None, **changes):
        recipe = RECIPE._replace(**{"steps": 10, **changes})
        arguments = (model or network(5), stored(), stored(1), recipe)
        seen["results"] = train(*arguments, tmp_path / "run", verbose=0)
        return seen, tmp_path / "run"

    resume.folder = tmp_path / "run"
    return resume


def test_a_resumed_training_goes_on_where_it_was(resumed):
    seen, folder = resumed()
    lines = (folder / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1", "2"]
    check = next(c for c in seen["callbacks"] if isinstance(c, Validation))
    assert check.best == 20.0
    assert seen["results"] == {"loss": 1.0, "best": 20.0}
    assert (seen["initial_epoch"], seen["epochs"]) == (3, 5)
    assert seen["stream"][1]["start"] == 6


@pytest.mark.parametrize("name", ["measured_fields", "strong_sources"])
def test_a_checkpoint_that_does_not_tell_of_them_has_none(resumed, name):
    older = run_module._identity(network(), RECIPE)
    del older[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainings, "_identity", lambda *_: older)
        folder = resumed.folder
        shutil.rmtree(folder)
        save_checkpoint(folder)
    with pytest.raises(InputError, match=f"{name} 0.0 instead of 0.5"):
        resumed(**{name: 0.5})
    resumed()


def test_a_checkpoint_comes_after_all_that_belongs_to_its_epoch(resumed):
    seen, _ = resumed()
    kinds = [type(callback) for callback in seen["callbacks"]]
    log, board = keras.callbacks.CSVLogger, keras.callbacks.TensorBoard
    assert kinds == [StopAtNaN, Validation, log, board, Checkpoint]


def test_fields_are_of_the_recipe(tmp_path, resumed):
    shutil.rmtree(tmp_path / "run")
    errors = FieldErrors(0.001, 0.002, 0.003)
    shares = {"measured_fields": 0.3, "strong_sources": 0.2}
    seen, _ = resumed(errors=errors, seed=4, batch_size=2, **shares)
    assert seen["stream"][0][1:] == (errors, 2, 4)
    assert {name: seen["stream"][1][name] for name in shares} == shares
    check = next(c for c in seen["callbacks"] if isinstance(c, Validation))
    assert check.batches[0][1:] == (errors, 4, 0.3)


def test_what_a_training_that_goes_on_may_have_otherwise(resumed):
    keras.utils.set_random_seed(0)
    options = {"dropout": 0.1, "tolerance": 1e-3, "max_iterations": 6}
    options["dtype"] = "mixed_bfloat16"
    model = SpiNetQSM(filters=4, blocks=1, unrolls=2, **options)
    seen, _ = resumed(model, recompute_denoiser=True)
    assert seen["initial_epoch"] == 3


def test_fewer_steps_than_there_were(resumed, tmp_path):
    resumed(steps=6)
    before = (tmp_path / "run" / "log.csv").read_bytes()
    with pytest.raises(InputError, match=r"no fewer than the 6 that .*run has .*got 4"):
        resumed(steps=4)
    assert (tmp_path / "run" / "log.csv").read_bytes() == before


def test_an_error_closes_the_logs(resumed, monkeypatch):
    opened = []

    def fit(self, stream, callbacks, **_):
        log = next(c for c in callbacks if isinstance(c, keras.callbacks.CSVLogger))
        for callback in callbacks:
            callback.set_model(self)
            callback.on_train_begin()
        opened.append(log.csv_file)
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        resumed()
    assert opened[0].closed


def test_the_network_meets_its_constraints_in_the_end(resumed, monkeypatch):
    def fit(self, *_, **__):
        for variable in self.trainable_variables:
            variable.assign(variable - 10)
        return SimpleNamespace(history={"loss": [1.0]})

    monkeypatch.setattr(keras.Model, "fit", fit)
    model = network()
    resumed(model)
    weights = {v.name: v.numpy() for v in model.trainable_variables}
    assert weights["p_decay"] == 0
    assert weights["log_weight"] < 0


def test_the_log_is_cut_to_the_epochs_there_are(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("epoch,loss\n0,1\n\n1,1\n2,1\n\n")
    keep_log_until(log, 2)
    assert log.read_text() == "epoch,loss\n0,1\n1,1\n"
    keep_log_until(log, 0)
    assert not log.exists()
    assert best_in_log(log) == float("inf")
    for values, best in (("nan", float("inf")), ("nan 3.0 4.0", 3.0)):
        lines = [f"{i},{value}" for i, value in enumerate(values.split())]
        log.write_text("\n".join([f"epoch,{CHOSEN_BY}", *lines]))
        assert best_in_log(log) == best


@pytest.mark.parametrize(
    ("content", "column", "got"),
    [
        (f"epoch,{CHOSEN_BY}\n0,30.0\nnonsense\n", "epoch", "'nonsense'"),
        (f"epoch,{CHOSEN_BY}\n0,30.0\n1\n", CHOSEN_BY, "None"),
        (f"epoch,{CHOSEN_BY}\n0,30.0\n1,x\n", CHOSEN_BY, "'x'"),
        ("epoch,loss\n0,1\n", CHOSEN_BY, "None"),
    ],
)
def test_a_log_that_is_none_of_a_training(content, column, got, resumed):
    log = resumed.folder / "log.csv"
    log.write_text(content)
    told = f"log.csv: expected a number for {column} in every line.* got {got}; mend"
    with pytest.raises(InputError, match=told):
        resumed()
    assert log.read_text() == content
    log.unlink()
    resumed()
    log.write_bytes(b"\xff\xfe\n\xff\n")
    with pytest.raises(InputError, match="a number for epoch"):
        resumed()
