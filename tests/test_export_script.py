"""`export.py` as its user runs it."""

import errno
import functools
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import export
from spinet_tf.model_files import save_model
from spinet_tf.pretrained import PRETRAINED
from tests.conftest import ROOT
from tests.networks import small_model
from tests.scripts import defined, run_here

run_export = functools.partial(run_here, "export.py", export.define_flags, export.main)


def run_process(*arguments):
    return subprocess.run(
        [sys.executable, "export.py", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.keras"
    save_model(small_model(), path)
    return path


def test_writes_versions_and_tells_what_it_wrote(model_path, tmp_path):
    notes = tmp_path / "notes.md"
    notes.write_text("Trained on nothing.")
    result = run_export(
        f"--model={model_path}",
        f"--output_dir={tmp_path / 'served'}",
        f"--notes={notes}",
    )
    assert result.exit_code == 0, result.err
    version = tmp_path / "served" / "1"
    assert result.out == f"wrote {version}\n"
    assert (version / "saved_model.pb").is_file()
    card = (version / "README.md").read_text()
    assert card.endswith("Trained on nothing.")
    assert "2 unrolls of 1 step(s), 4 filters, 1 residual blocks" in card


def test_writes_both_formats(model_path, tmp_path):
    result = run_export(
        f"--model={model_path}",
        f"--output_dir={tmp_path / 'new' / 'served'}",
        "--format=all",
        "--sizes=16x16x16,12x9x8",
        "--weights=float16",
    )
    assert result.exit_code == 0, result.err
    names = ["spinet-qsm-16x16x16-float16", "spinet-qsm-12x9x8-float16"]
    files = [
        tmp_path / "new" / "served" / "tflite" / f"{name}.tflite" for name in names
    ]
    written = [tmp_path / "new" / "served" / "1", *files]
    assert result.out == "".join(f"wrote {path}\n" for path in written)
    assert all(path.exists() for path in written)


def test_a_folder_that_the_terminal_cannot_show(model_path, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    result = run_process(f"--model={model_path}", f"--output_dir={tmp_path / 'exü'}")
    assert (result.returncode, result.stdout) == (0, f"wrote {tmp_path / 'ex?'}/1\n")


def test_no_version_is_published_when_the_other_format_fails(model_path, tmp_path):
    (tmp_path / "tflite").write_text("a file where the folder would be")
    words = [f"--model={model_path}", "--format=all", "--sizes=16x16x16"]
    result = run_export(*words, f"--output_dir={tmp_path}")
    assert result.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["tflite"]


@pytest.mark.parametrize("format_", ["saved_model", "tflite"])
def test_a_failure_leaves_no_folder(model_path, tmp_path, monkeypatch, format_):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(f"spinet_tf.serving.{format_}.write_graph", fail)
    folder = tmp_path / "new" / "served"
    words = (f"--model={model_path}", f"--output_dir={folder}", f"--format={format_}")
    result = run_export(*words)
    assert (result.exit_code, result.out) == (2, "")
    assert "cannot be written, No space left on device" in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "output_dir"),
        (["--output_dir="], "--output_dir=: expected a folder"),
        (["--output_dir=x", "--format=onnx"], "saved_model"),
        (
            ["--output_dir=x", "--weights=float16"],
            "--weights goes with",
        ),
        (
            ["--output_dir=x", "--format=tflite", "--precision=bfloat16"],
            "--precision goes with --format=saved_model or all",
        ),
        (["--output_dir=x", f"--max_voxels={2**31}"], "--max_voxels=2147483648"),
        (
            ["--output_dir=/dev/null/x", "--format=tflite"],
            "x: cannot be made",
        ),
        (["--output_dir=x", "--max_voxels=0"], "max_voxels"),
        (["--output_dir=/dev/null/x"], "/dev/null/x: cannot be made"),
        (["--output_dir=x", "--notes=missing.md"], "missing.md"),
        (["--output_dir=x", "--format=all", "--sizes=64"], "64x64x64"),
        (["--output_dir=/dev/null", "--format=tflite"], "/dev/null"),
        (["--output_dir=x", "--format=tflite", "--sizes=4x4x4"], "at least 8"),
        (["--output_dir=x", f"--sizes={'9' * 5000}x8x8"], "64x64x64"),
        (["--output_dir=x", "--format=all", "--sizes="], "at least one"),
        (
            ["--output_dir=x", "--format=tflite", "--max_voxels=200"],
            "--max_voxels goes",
        ),
        (["--output_dir=x", "--format=tflite", "--notes=x.md"], "--notes goes with"),
        (["--output_dir=x", "--format=tflite", "--sizes=1024x512x512"], "at most"),
    ],
)
def test_wrong_flags(arguments, words):
    result = run_export(*arguments)
    assert result.exit_code == 2, result
    assert result.err.startswith("export.py: error: ")
    assert result.err.count("\n") == 1
    assert words in result.err
    assert not Path("x").exists()


def test_the_libraries_add_no_line_of_their_own(tmp_path):
    result = run_process(f"--output_dir={tmp_path}", "--model=missing.keras")
    assert result.returncode == 2
    assert re.fullmatch("export.py: error: missing.keras[^\n]+\n", result.stderr)


def test_flags_are_read_before_tensorflow():
    code = "import export, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("format_", ["all", "saved_model", "tflite"])
def test_recipe_can_be_read(format_):
    recipe = ROOT / "configs" / "export.flags"
    words = (f"--flagfile={recipe}", f"--format={format_}", "--output_dir=x")
    with defined(export.define_flags) as flags:
        assert flags(["export.py", *words]) == ["export.py"]


def test_the_network_that_ships_has_its_card_by_any_path(tmp_path, monkeypatch):
    shipped = Path(PRETRAINED)
    card = shipped.with_name("README.md").read_text()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.keras").symlink_to(shipped)
    (tmp_path / "README.md").write_text("of something else")
    for path in (shipped, Path(os.path.relpath(shipped)), Path("link.keras")):
        assert export._notes(path, None) == card
    assert export._notes(Path("other.keras"), None) == ""


def test_flags_are_passed_on(monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(
        "spinet_tf.serving.saved_model.export_saved_model",
        lambda _, *options: given.append(options),
    )
    options = SimpleNamespace(
        **{"model": None, "sizes": ["8x9x10"], "notes": None, "format": "saved_model"},
        **{"output_dir": tmp_path, "precision": "bfloat16", "max_voxels": 999},
    )
    export.run(options)
    assert given[0][:3] == (tmp_path, "bfloat16", 999)


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    names = ("model", "output_dir", "notes")
    with defined(export.define_flags) as flags:
        flags(["export.py", *(f"--{name}=~/{name}" for name in names)])
        for name in names:
            assert flags[name].value == f"/home/me/{name}"


def test_help_lists_all_flags():
    listed = run_process("--help").stdout
    for name in ("model", "output_dir", "notes", "format"):
        assert f"  --{name}: " in listed


def test_defaults():
    expected = {"format": "saved_model", "precision": "float32"}
    expected |= {"max_voxels": 320**3, "sizes": ["64x64x64"], "weights": "float32"}
    with defined(export.define_flags) as flags:
        assert {name: flags[name].default for name in expected} == expected
