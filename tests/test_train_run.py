"""What `train.py` does with its flags, from the data to the comparison."""

import contextlib

import numpy as np
import pytest

import train as script
from spinet_tf.errors import InputError

SMALL = ("--filters=4", "--blocks=1")


def test_a_run_is_seeded_and_told(options, monkeypatch, capsys):
    import spinet_tf.training.run
    import spinet_tf.training.strategy

    runs = []

    def trained(network, *arguments):
        runs.append((network.get_weights(), arguments))
        return {"loss": 0.5, "best": 12.345678}

    monkeypatch.setattr(spinet_tf.training.run, "train", trained)
    monkeypatch.setattr(script, "load_data", lambda _: ("training", "validation"))
    for seed in (3, 3, 4):
        given = options(*SMALL, f"--seed={seed}")
        script.main(given)
    kernels = [max(run[0], key=np.size) for run in runs]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[0] - kernels[2]).max() > 0
    arguments = runs[2][1]
    assert arguments[:4] == (
        "training",
        "validation",
        script.recipe_of(given, None),
        "x",
    )
    assert "--seed=4\n" in arguments[6]
    assert "best                     12.346\n" in capsys.readouterr().out


def test_the_comparison_is_last_and_one_process_tells(options, monkeypatch, capsys):
    from spinet_tf.training import strategy

    calls = []
    monkeypatch.setattr(script, "run", lambda *_: calls.append("train") or {"loss": 1})
    monkeypatch.setattr(
        script, "compare_with_classical_methods", lambda _: calls.append("compare")
    )
    script.main(options(*SMALL))
    script.main(options(*SMALL, "--comparison=a/b"))
    assert calls == ["train", "train", "compare"]
    capsys.readouterr()
    monkeypatch.setattr(strategy, "writes_files", lambda _: False)
    script.main(options(*SMALL, "--comparison=a/b"))
    assert (calls[3:], capsys.readouterr().out) == (["train"], "")


@pytest.mark.parametrize("writes", [True, False])
def test_the_first_process_builds_the_data_and_checks_the_folder(
    options, monkeypatch, writes
):
    import spinet_tf.training.run
    from spinet_cli import run_dir
    from spinet_tf.training import strategy

    calls = []

    @contextlib.contextmanager
    def first(_):
        calls.append("wait")
        yield
        calls.append("go on")

    monkeypatch.setattr(strategy, "first_process_first", first)
    monkeypatch.setattr(strategy, "writes_files", lambda _: writes)
    monkeypatch.setattr(run_dir, "check_run_dir", lambda _: calls.append("check"))
    monkeypatch.setattr(script, "load_data", lambda _: calls.append("data") or (1, 2))
    monkeypatch.setattr(
        spinet_tf.training.run, "train", lambda *_: calls.append("train")
    )
    given = options(*SMALL)
    script.run(given, strategy.make_strategy(given.strategy))
    assert calls == ["check"] * writes + ["wait", "data", "go on", "train"]


def test_scans_that_no_data_set_is_made_of(options):
    words = ("--scans_dir=scans", "--dataset=qsm_brain/heads", "--data_dir=nowhere")
    with pytest.raises(InputError, match="scans_dir: expected .* got qsm_brain/heads,"):
        script.load_data(options(*words))


@pytest.mark.parametrize("measured", [0.0, 0.5])
def test_the_comparison_is_on_heads_nothing_was_tuned_on(
    options, monkeypatch, capsys, measured
):
    from spinet_tf import comparison, model_files, reconstruct

    compared = {}
    monkeypatch.setattr(script, "load_dataset", lambda *a, **_: f"{a[0]} {a[2]}")
    monkeypatch.setattr(comparison, "simulated_scans", lambda *a: a)
    monkeypatch.setattr(comparison, "measured_scans", lambda *a: a)
    monkeypatch.setattr(model_files, "load_model", lambda path: path.name)
    monkeypatch.setattr(reconstruct, "Reconstructor", lambda *a: a)
    monkeypatch.setattr(
        comparison, "tuned_classical_methods", lambda scans: {"tuned on": scans}
    )

    def compare(methods, scans, picture):
        compared.update(methods, scans=scans, picture=picture)
        return "table"

    monkeypatch.setattr(comparison, "compare", compare)
    monkeypatch.setattr(comparison, "format_comparison", lambda *a: "the table")
    given = options("--comparison=heads", f"--measured_fields={measured}")
    script.compare_with_classical_methods(given)
    assert compared["spinet"] == ("last.keras", "float32")
    assert compared["tuned on"][0] == "heads validation"
    assert compared["scans"][0] == "heads test"
    told = capsys.readouterr().out
    assert "the table" in told
    if measured:
        assert compared["scans"] == ("heads test",)
        assert "measured fields" in told
        return
    assert compared["scans"][1].noise_low == compared["scans"][1].noise_high == 0.002
    assert compared["tuned on"][2] != compared["scans"][2]
    assert "field noise 0.002 ppm" in told
