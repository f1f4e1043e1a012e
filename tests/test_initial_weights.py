"""What `train.py --init_from` makes of another network."""

import numpy as np

import train as script
from spinet_tf import SpiNetQSM
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
