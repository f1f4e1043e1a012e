"""What `train.py --init_from` makes of another network."""

import numpy as np
import pytest

import train as script
from spinet_cli.initial_weights import take_weights
from spinet_cli.run_dir import check_run_dir
from spinet_tf import SpiNetQSM
from spinet_tf.errors import InputError
from spinet_tf.model_files import save_model

SMALL = ("--filters=4", "--blocks=1")


def test_a_training_starts_from_the_weights_it_is_given(options, tmp_path):
    path = tmp_path / "first.keras"
    first = SpiNetQSM(filters=4, blocks=1)
    first.set_weights([np.full(w.shape, 0.3) for w in first.get_weights()])
    save_model(first, path)
    made = script.build_network(options(*SMALL, f"--init_from={path}"))
    for a, b in zip(made.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    given = options(f"--init_from={path}")
    told = script.recipe_of(given, made).initial
    assert script.recipe_of(given, first).initial == told
    assert script.recipe_of(given, SpiNetQSM(filters=4, blocks=1)).initial != told


def test_what_a_network_to_start_from_has_otherwise_is_told(options, tmp_path, capsys):
    path = tmp_path / "first.keras"
    given = (*SMALL, f"--init_from={path}", "--tolerance=1e-3", "--max_iterations=10")
    first = {"filters": 4, "blocks": 1, "tolerance": 1e-3, "max_iterations": 10}
    save_model(SpiNetQSM(**first, initial_p=1.2, dropout=0.1), path)
    script.build_network(options(*given))
    assert capsys.readouterr().out == ""
    save_model(SpiNetQSM(**first, mm_steps=2, chi_std=0.02), path)
    script.build_network(options(*given))
    assert capsys.readouterr().out.splitlines() == [
        f"{path} has mm_steps=2, this training mm_steps=1",
        f"{path} has chi_std=0.02, this training chi_std=0.03",
    ]
    save_model(SpiNetQSM(**first, unrolls=1), path)
    script.build_network(options(*given, "--nophysics"))
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"{path} is a SpiNetQSM, this training has none"


@pytest.mark.parametrize("other", [{"channels": 2}, {"batch_norm": False}])
def test_weights_of_another_kind_of_network_are_refused(tmp_path, other):
    path = tmp_path / "first.keras"
    save_model(SpiNetQSM(filters=4, blocks=1, **other), path)
    with pytest.raises(InputError, match="of another size"):
        take_weights(SpiNetQSM(filters=4, blocks=1), path)


def test_each_weight_counts_for_what_a_training_began_with():
    network = SpiNetQSM(filters=4, blocks=1)
    weights, told = network.get_weights(), set()
    for index in range(len(weights)):
        changed = [w + (i == index) for i, w in enumerate(weights)]
        network.set_weights(changed)
        told.add(script.describe_initial(network))
    assert len(told) == len(weights)


def test_a_run_folder_may_be_in_one_that_is_to_be_made(tmp_path):
    check_run_dir(tmp_path / "runs" / "first")
    assert not (tmp_path / "runs" / "first").exists()


def test_a_run_folder_that_takes_no_files():
    with pytest.raises(InputError, match="run_dir: /proc/flags.txt: cannot be writ"):
        check_run_dir("/proc")


def test_a_run_folder_that_was_there_stays(tmp_path):
    check_run_dir(tmp_path)
    assert tmp_path.is_dir()
