"""Where a report comes from."""

from types import SimpleNamespace


def test_where_a_report_comes_from(tmp_path, monkeypatch):
    from spinet_cli import provenance
    from spinet_tf import __version__

    monkeypatch.setattr(provenance, "table", lambda rows, *_, **__: list(rows))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.nii").write_text("four")
    flags = {"subcommand": "evaluate", "reconstruction": ["a", "b"], "label": None}
    made, told, files = provenance.provenance(SimpleNamespace(**flags), ["a.nii", "x"])
    assert dict(made)["command"] == "spinet-qsm evaluate"
    assert dict(made)["spinet-tf"] == __version__
    assert told == [("--reconstruction", "a b")]
    assert files == [
        ("a.nii", str(tmp_path / "a.nii"), 4),
        ("x", str(tmp_path / "x"), "-"),
    ]
    for path in ("a.htm", "A.HTML", None):
        provenance.check_report_path(path)
