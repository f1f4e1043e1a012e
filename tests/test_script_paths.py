"""Flags of scripts that are paths."""

import importlib

import pytest

from benchmarks import limited_data
from tests.conftest import ROOT
from tests.scripts import defined, run_here

SCRIPTS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted(ROOT.glob("[bde]*/**/*.py"))
    if "def define_flags" in path.read_text()
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_tilde_is_the_home_folder(script, monkeypatch):
    """All flags that are no numbers, lists or words of a few are paths."""
    monkeypatch.setenv("HOME", "/home/me")
    with defined(importlib.import_module(script).define_flags) as flags:
        paths = {
            flag.name: flag.parser.parse("~/it")
            for flag in flags.get_flags_for_module(script)
            if flag.flag_type() == "string"
        }
    assert set(paths.values()) <= {"/home/me/it"}, paths


def test_where_the_flags_of_paths_are():
    assert {"benchmarks.limited_data", "datasets.qsm_brain.montage"} < set(SCRIPTS)


def test_a_picture_that_cannot_be_made_is_told_before_the_trainings(monkeypatch):
    monkeypatch.setattr(limited_data, "run_training", pytest.fail)
    words = (limited_data.define_flags, limited_data.main, "--figure=missing/it.png")
    result = run_here("limited_data.py", *words)
    assert result.exit_code == 2
    (line,) = result.err.splitlines()
    assert line.startswith("limited_data.py: error: missing/it.png: cannot be written")
