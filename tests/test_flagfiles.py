"""Which flagfiles can be read, and what is read of them."""

import subprocess
import sys

import pytest
from absl import flags

from spinet_cli.flagfiles import expand_flagfiles
from tests.conftest import ROOT


def test_which_flagfiles_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.flags").write_text("--mask=m\n#--flagfile=none\n // --flagfile=no\n")
    assert expand_flagfiles(["--flagfile=~/a.flags"]) == ["--mask=m"]
    assert expand_flagfiles(["--flagfile", "~/a.flags"]) == ["--mask=m"]
    (tmp_path / "b.flags").write_text("--flagfile=~/c.flags")
    (tmp_path / "c.flags").write_text(f"--flagfile={tmp_path}/b.flags")
    (tmp_path / "large.flags").write_text("#" * (2**20 + 1))
    for word, message in (
        ("--flagfile=~/b.flags", "is within itself"),
        ("--flagfile=~/large.flags", "expected at most 1048576 bytes"),
        ("--field=a\0b", "expected words without NUL"),
        ("--flagfile=/dev/null", "not a file"),
        ("--flagfile", "--flagfile with no argument"),
    ):
        with pytest.raises(flags.Error, match=message):
            expand_flagfiles([word])


def test_flagfiles_are_put_in_their_place(tmp_path):
    inner, outer = tmp_path / "inner.flags", tmp_path / "outer.flags"
    inner.write_bytes("\ufeff# Windows' editors\r\n--mask=a b\u2028c\r\n\r\n".encode())
    outer.write_text(f"\ufeff--first=1\n--flagfile={inner}\n--third=3\n", "utf-8")
    words = ["x", "-flagfile", str(outer), "--fourth", "4", "--", f"--flagfile={inner}"]
    expected = ["x", "--first=1", "--mask=a b\u2028c", "--third=3", "--fourth", "4"]
    assert expand_flagfiles(words) == [*expected, *words[-2:]]


@pytest.mark.parametrize("script", ["train.py", "export.py"])
def test_scripts_take_flagfiles_of_windows(tmp_path, script):
    path = tmp_path / "a.flags"
    path.write_text("\ufeff--nonsense=1\n", "utf-8")
    result = subprocess.run(
        [sys.executable, script, f"--flagfile={path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    message = f"{script}: error: Unknown command line flag 'nonsense'\n"
    assert (result.returncode, result.stderr) == (2, message)
