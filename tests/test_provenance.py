"""Where a report comes from."""

import argparse
from types import SimpleNamespace

from spinet_cli import provenance
from spinet_cli.arguments import build_parser
from spinet_tf import __version__


def test_where_a_report_comes_from(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "table", lambda rows, *_, **__: list(rows))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.nii").write_text("four")
    flags = {"subcommand": "evaluate", "reconstruction": ["a", "b"], "label": None}
    (tmp_path / "b.mat").write_text("seven..")
    made, told, files = provenance.provenance(
        SimpleNamespace(**flags), ["a.nii", "x", "b.mat:phs"]
    )
    assert dict(made)["command"] == "spinet-qsm evaluate"
    assert dict(made)["spinet-tf"] == __version__
    assert told == [("--reconstruction", "a b")]
    assert files == [
        ("a.nii", str(tmp_path / "a.nii"), 4),
        ("x", str(tmp_path / "x"), "-"),
        ("b.mat:phs", str(tmp_path / "b.mat:phs"), 7),
    ]
    for path in ("a.htm", "A.HTML", None):
        provenance.check_report_path(path)


def test_only_flags_that_bids_has_are_told(monkeypatch):
    monkeypatch.setattr(provenance, "table", lambda rows, *_, **__: dict(rows))
    parser = build_parser(argparse.ArgumentParser)
    words = ["bids", "in", "out", "participant", "--participant-label", "1", "2"]
    arguments = parser.parse_args([*words, "--flagfile=x"])
    arguments.pipeline_options = ["--direct_num_workers=1"]
    monkeypatch.setattr(provenance, "_size", len)
    _, told = provenance.provenance(arguments, [])[:2]
    assert (told["INPUT"], told["OUTPUT"], told["participant"]) == tuple(words[1:4])
    assert told["--participant-label"] == "1 2"
    assert told["--pad"] == arguments.pad
    assert not {"--voxel-size", "--b0-dir", "--input", "--pipeline-options"} & set(told)
