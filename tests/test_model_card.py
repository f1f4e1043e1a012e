"""What an exported model tells of itself."""

import pytest

from tests.networks import VARIANTS, small_model


def test_the_card_tells_the_network_that_it_is_of():
    from spinet_tf.serving.model_card import model_card, model_facts

    options = {"channels": 2, "residual": False, "mm_steps": 2, "initial_p": 1.7}
    options |= {"dc_value": 1 / 3, "tolerance": 3e-5, "initial_lambda": 0.02}
    facts = model_facts(small_model(**options), "bfloat16", 12345)
    expected = {"Channels": 2, "MMSteps": 2, "Precision": "bfloat16"}
    expected |= {"MaxVoxels": 12345, "SolverTolerance": 3e-5, "DipoleAtZero": 1 / 3}
    expected |= {"AdaptivePenalty": False, "Outside": "is used"}
    assert expected.items() <= facts.items()
    card = model_card(facts)
    for words in ("2 channel(s)", "2 step(s)", "lambda 0.02, p 1.7 |", "12345 voxels"):
        assert words in card
    assert "| CNN | bfloat16;" in card and "| the field is used |" in card
    card = model_card(model_facts(small_model(**VARIANTS["shipped"]), "float32", 1))
    assert ", which follows the field's errors, p " in card
    assert "| the field counts as unknown |" in card


@pytest.mark.parametrize("edge", [5, 6, 7, 9])
def test_the_smallest_warmups_have_a_mask(tmp_path, edge):
    from spinet_tf.serving.warmup import read_warmup_requests, write_warmup_requests

    write_warmup_requests(tmp_path, edge**3)
    for _, inputs in read_warmup_requests(tmp_path):
        assert inputs["local_field"].shape == (1, edge, edge, edge)
        assert inputs["local_field"].any()


def test_metadata_tell_the_network_and_the_units():
    from spinet_tf import __version__
    from spinet_tf.serving.tflite import MOST_VOXELS, checked_size, metadata

    model = small_model(initial_p=1.7, initial_lambda=0.02, unrolls=1)
    told = metadata(model, (8, 9, 10), "float16")
    assert told["producer"] == f"spinet-tf {__version__}"
    assert (told["variant"], told["unrolls"]) == ("float16", 1)
    assert told["lambda"] == pytest.approx(0.02) and told["p"] == pytest.approx(1.7)
    units = {name: tensor["unit"] for name, tensor in told["inputs"].items()}
    assert units == {
        **{"local_field": "ppm", "mask": "1", "voxel_size": "mm"},
        "b0_direction": "1",
    }
    assert told["outputs"]["susceptibility"]["unit"] == "ppm"
    assert told["padding"]["value"] == 0
    assert checked_size((512, 512, 512)) == (512, 512, 512)
    assert MOST_VOXELS == 512**3
