"""Bad input to the QSM-CI submission: one line, a non-zero code, nothing written."""

import json
import math
import re

import pytest

from tests.command_line import read_json
from tests.submission import SUBMISSION, qsm_ci, recon_module, run, write_inputs


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("params.json", None, r"params\.json: expected voxel_size, and QSMCI_VOXEL"),
        ("params.json", "{", r"params\.json: expected a JSON file, "),
        ("params.json", "[1]", r"params\.json: expected a JSON object, got \[1\]"),
        ("params.json", "[" * 100_000, r"params\.json: expected a JSON file, "),
        ("params.json", {"B0_dir": [0, 1]}, r"three numbers as B0_dir, got \[0, 1\]"),
        ("params.json", {"B0_dir": None}, r"params\.json: expected B0_dir, and QSMCI"),
        ("params.json", {"voxel_size": [1, "x", 1]}, "three numbers as voxel_size"),
        ("params.json", {"voxel_size": [1, 1, math.nan]}, "as voxel_size, got .*nan"),
        ("params.json", {"voxel_size": [1, 1, 0]}, "expected three edges of 0.05 to"),
        ("config.json", {"precision": {}}, "--precision: .*'{}'"),
        ("config.json", {"precision": "float16"}, "--precision: .*'float16'"),
        ("localfield.nii.gz", None, r"localfield\.nii\.gz: no such file"),
        ("mask.nii.gz", "", r"mask\.nii\.gz: .*not a NIfTI file"),
    ],
)
def test_bad_input_ends_with_one_line(file, text, message, tmp_path, capfd):
    write_inputs(tmp_path / "input")
    path = tmp_path / "input" / file
    if text is None:
        path.unlink()
    else:
        if isinstance(text, dict):
            params = read_json(tmp_path / "input" / "params.json")
            text = json.dumps({**params, **text})
        path.write_text(text)
    (tmp_path / "output").mkdir()
    folders = [str(tmp_path / name) for name in ("input", "output")]
    assert recon_module().main(folders) == 2
    assert re.fullmatch(
        r"spinet-(tf|qsm.*): error: [^\n]+\n", error := capfd.readouterr().err
    )
    assert re.search(message, error), error
    assert not any((tmp_path / "output").iterdir())


def test_bad_input_through_the_script(tmp_path):
    """Its exit code comes through, and nothing is left behind."""
    write_inputs(tmp_path / "input")
    (tmp_path / "input" / "params.json").write_text("{")
    (tmp_path / "output").mkdir()
    folders = (tmp_path / "input", tmp_path / "output")
    result = run("bash", SUBMISSION / "run.sh", *folders)
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert not any((tmp_path / "output").iterdir())


def test_qsm_ci_passes_on_a_parameter(tmp_path):
    write_inputs(tmp_path / "input")
    result = qsm_ci(tmp_path, "--set", "precision=float16")
    assert result.returncode == 1
    assert "--precision: invalid choice: 'float16'" in result.stderr
    assert not (tmp_path / "chimap.nii.gz").exists()
