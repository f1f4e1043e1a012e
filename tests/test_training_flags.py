"""What the flags of `train.py` reach."""

import pytest

import train as script
from spinet_cli.training_flags import as_flagfile
from spinet_tf import SpiNetQSM
from spinet_tf.field_simulation import FieldErrors
from spinet_tf.losses import LossWeights
from spinet_tf.training.run import Recipe

SMALL = ("--filters=4", "--blocks=1")


def test_defaults_are_those_of_the_library(options):
    given = options()
    assert script.recipe_of(given, None) == Recipe(
        steps=20000,
        steps_per_epoch=200,
        ema_momentum=0.0,
        initial="random",
        data="1 of qsm_brain/patches_64 with voxels from 0 mm on, and 2 of"
        " qsm_brain/heads_small",
    )
    config, library = script.build_network(given).get_config(), SpiNetQSM().get_config()
    trained = {"initial_lambda": 0.06, "tolerance": 1e-3, "max_iterations": 10}
    assert config == {**library, **trained, "name": config["name"]}
    assert (given.strategy, given.init_from, given.comparison) == ("none", None, None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", 0.0),
        ("--nobatch_norm", 0.995),
        ("--batch_norm --ema_momentum=0.9", 0.9),
        ("--nobatch_norm --ema_momentum=0", 0.0),
    ],
)
def test_averages_and_batch_norm_go_together_on_demand_only(options, words, expected):
    given = options(*words.split())
    assert script.recipe_of(given, None).ema_momentum == expected


@pytest.mark.parametrize(
    ("flag", "name", "value"),
    [
        ("--unrolls=2", "unrolls", 2),
        ("--mm_steps=2", "mm_steps", 2),
        ("--channels=2", "channels", 2),
        ("--noresidual", "residual", False),
        ("--filters=6", "filters", 6),
        ("--blocks=2", "blocks", 2),
        ("--dropout=0.2", "dropout", 0.2),
        ("--nobatch_norm", "batch_norm", False),
        ("--chi_mean=0.01", "chi_mean", 0.01),
        ("--chi_std=0.05", "chi_std", 0.05),
        ("--initial_lambda=0.2", "initial_lambda", 0.2),
        ("--initial_p=1.5", "initial_p", 1.5),
        ("--nolearn_p", "learn_p", False),
        ("--fill_outside", "fill_outside", True),
        ("--fill_outside --adaptive_penalty", "adaptive_penalty", True),
        ("--tolerance=0.01", "tolerance", 0.01),
        ("--max_iterations=7", "max_iterations", 7),
    ],
)
def test_flags_reach_the_network(options, flag, name, value):
    assert (
        script.build_network(options(*SMALL, *flag.split())).get_config()[name] == value
    )


def test_physics_and_precision_reach_the_network(options):
    alone = script.build_network(options(*SMALL, "--nophysics"))
    assert (type(alone).__name__, alone.unrolls) == ("DenoiserOnly", 1)
    half = script.build_network(options(*SMALL, "--physics", "--precision=bfloat16"))
    assert type(half).__name__ == "SpiNetQSM"
    assert half.denoiser.dtype_policy.compute_dtype == "bfloat16"


def test_flags_reach_the_recipe(options, monkeypatch):
    monkeypatch.setattr(script, "scans_of", lambda name, _: f"of {name}")
    given = options(
        *("--steps=12", "--steps_per_epoch=3", "--batch_size=2", "--warmup_steps=4"),
        *("--learning_rate=0.1", "--clip_norm=0.2", "--ema_momentum=0.3", "--seed=7"),
        *("--susceptibility_loss=4", "--field_loss=2", "--gradient_loss=3"),
        *("--noise_low=0.011", "--noise_high=0.012", "--background=0.013"),
        *("--anisotropy=0.014", "--smooth=0.015", "--gain=0.016"),
        *("--near_sources=0.017", "--coloured=0.018", "--recompute_denoiser"),
        *("--dataset=a/b", "--train_fraction=0.1", "--least_voxel_size=0.5"),
        *("--validation=c/d", "--validation_examples=9", "--measured_fields=0.4"),
        "--strong_sources=0.6",
    )
    assert script.recipe_of(given, None) == Recipe(
        *(12, 3, 2, 0.1, 4, 0.2, 0.3),
        LossWeights(4, 2, 3),
        FieldErrors(*(number / 1000 for number in range(11, 19))),
        *(7, "0.1 of a/b with voxels from 0.5 mm on, and 9 of c/d", True, "random"),
        scans="of a/b of c/d",
        measured_fields=0.4,
        strong_sources=0.6,
    )


def test_a_tilde_is_the_home_folder(options, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    paths = [
        "run_dir",
        "data_dir",
        "scans_dir",
        "dataset",
        "validation",
        "comparison",
        "init_from",
    ]
    given = options(*(f"--{name}=~/{name}" for name in paths))
    for name in paths:
        assert given[name].value == f"/home/me/{name}"
        assert f"--{name}=/home/me/{name}\n" in as_flagfile(given)
    assert options("--dataset=a/b~c").dataset == "a/b~c"


def test_scans_of_both_data_sets_are_told(options, monkeypatch):
    monkeypatch.setattr(script, "scans_of", lambda *given: " of ".join(given))
    words = ("--dataset=a", "--validation=b", "--data_dir=c")
    assert script.describe_scans(options(*words)) == "a of c b of c"
    monkeypatch.setattr(script, "scans_of", lambda *_: "")
    assert script.describe_scans(options(*words)) == ""


def test_flags_reach_the_data(options, monkeypatch):
    asked = []

    def load(*arguments, measured_fields):
        asked.append((*arguments, measured_fields))
        return arguments[0]

    monkeypatch.setattr(script, "load_dataset", load)
    monkeypatch.setattr(script, "may_be_of_scans", lambda *_: True)
    checked = []
    monkeypatch.setattr(script, "check_same_scans", lambda *a: checked.append(a))
    monkeypatch.setattr(script, "only_coarse", lambda *arguments: arguments)
    words = ("--dataset=a/b", "--validation=c/d", "--data_dir=e", "--scans_dir=f")
    words += ("--train_fraction=0.07", "--validation_examples=3")
    assert script.load_data(options(*words)) == ("a/b", "c/d")
    assert asked == [
        ("a/b", "e", "train[:7%]", "f", None, False),
        ("c/d", "e", "validation", "f", 3, False),
    ]
    asked.clear()
    script.load_data(options(*words, "--measured_fields=0.1"))
    assert [each[-1] for each in asked] == [True, True]
    training, _ = script.load_data(options(*words, "--least_voxel_size=0.5"))
    assert training == ("a/b", 0.5, "a/b")
    asked.clear()
    script.load_data(options(*words, "--comparison=g/h"))
    assert [each[2] for each in asked[:2]] == ["validation", "test"]
    assert checked[-1] == (["a/b", "c/d", "g/h"], "e")
