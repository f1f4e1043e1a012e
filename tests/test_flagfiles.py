"""Which flagfiles can be read."""

import pytest


def test_which_flagfiles_can_be_read(tmp_path, monkeypatch):
    from absl import flags

    from spinet_cli.flagfiles import check_flagfiles

    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.flags").write_text("--mask=m\n#--flagfile=none\n // --flagfile=no\n")
    check_flagfiles(["--flagfile=~/a.flags"])
    check_flagfiles(["--flagfile", "~/a.flags"])
    (tmp_path / "b.flags").write_text("--flagfile=~/c.flags")
    (tmp_path / "c.flags").write_text(f"--flagfile={tmp_path}/b.flags")
    (tmp_path / "large.flags").write_text("#" * (2**20 + 1))
    for word, message in (
        ("--flagfile=~/b.flags", "is within itself"),
        ("--flagfile=~/large.flags", "expected at most 1048576 bytes"),
        ("--field=a\0b", "expected words without NUL"),
        ("--flagfile=/dev/null", "not a file"),
    ):
        with pytest.raises(flags.Error, match=message):
            check_flagfiles([word])
