"""The command as a whole: flag files, start-up, `simulate` and `convert`."""

import os
import subprocess
import sys

import nibabel
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from tests.command_line import (
    SHAPE,
    mask,
    oblique_affine,
    read,
    run_words,
    succeed,
)
from tests.conftest import ROOT


def run_process(*words, **settings):
    """Run Python from the project's folder, as from a fresh shell."""
    environment = dict(os.environ)
    for name in ("TF_CPP_MIN_LOG_LEVEL", "PYTHONUNBUFFERED"):
        environment.pop(name, None)
    settings = {"capture_output": True, "text": True, **settings}
    words = [sys.executable, *map(str, words)]
    return subprocess.run(words, cwd=ROOT, env=environment, **settings)


def test_help_does_not_import_tensorflow():
    code = (
        "import sys; from spinet_cli.main import main; exit_code = main(sys.argv[1:]);"
        "sys.exit(exit_code + 10 * ('tensorflow' in sys.modules))"
    )
    for words in (("--help",), ("reconstruct", "--help"), ("evaluate", "-h")):
        result = run_process("-c", code, *words)
        assert (result.returncode, result.stderr) == (0, "")
        assert "usage: spinet-qsm" in result.stdout
    assert run_process("-c", code, "reconstruct").returncode == 2


def test_start_is_quiet(scan, tmp_path):
    result = run_process(
        *("-m", "spinet_tf", "simulate", "--susceptibility", scan / "chi.nii.gz"),
        *("--mask", scan / "mask.nii.gz", "--output", tmp_path / "field.nii"),
    )
    assert (result.returncode, result.stderr) == (0, "")
    np.testing.assert_array_equal(
        read(tmp_path / "field.nii"), read(scan / "field.nii.gz")
    )


def test_exit_code_of_the_process():
    result = run_process("-m", "spinet_cli.main", "reconstruct", "--field=f.nii")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "spinet-qsm reconstruct: error: the following arguments are required: --mask,"
        " --output\n"
    )


def test_nobody_reads_the_output():
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = run_process(
        *("-m", "spinet_cli.main", "--help"),
        capture_output=False,
        stdout=write_end,
        stderr=subprocess.PIPE,
    )
    os.close(write_end)
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.parametrize("options", [[], ["-u"]])
def test_a_full_disk_behind_the_output(options):
    with open("/dev/full", "w") as full:
        result = run_process(
            *(*options, "-m", "spinet_cli.main", "--version"),
            capture_output=False,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    message = "standard output: cannot be written, No space left on device\n"
    assert (result.returncode, result.stderr) == (2, f"spinet-qsm: error: {message}")


def test_closed_standard_error(tmp_path):
    result = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m spinet_tf simulate --seed=x 2>&-"], cwd=ROOT
    )
    assert result.returncode == 2
    path = tmp_path / "file"
    code = f"import spinet_tf, os; f = open({str(path)!r}, 'w'); os.write(2, b'log')"
    command = f'{sys.executable} -c "{code}" 2>&-'
    assert subprocess.run(["sh", "-c", command], cwd=ROOT).returncode == 0
    assert path.read_text() == ""


def test_closed_output():
    code = "import sys; sys.stdout = None; from spinet_cli.main import main"
    result = run_process("-c", f"{code}; sys.exit(main())", "simulate", "--help")
    assert (result.returncode, result.stdout) == (0, "")
    assert "Traceback" not in result.stderr


def test_simulated_field(scan, tmp_path):
    image = nibabel.load(scan / "field.nii.gz")
    assert image.get_data_dtype() == np.float32
    np.testing.assert_allclose(image.affine, oblique_affine(), atol=1e-5)
    flags = {"susceptibility": scan / "chi.nii.gz", "mask": scan / "mask.nii.gz"}
    noisy = []
    for seed in (1, 1, 2):
        succeed("simulate", **flags, output=tmp_path / "f.nii", noise=0.01, seed=seed)
        noisy.append(read(tmp_path / "f.nii"))
    np.testing.assert_array_equal(noisy[0], noisy[1])
    noise = (noisy[0] - read(scan / "field.nii.gz"))[mask()]
    assert noise.std() == pytest.approx(0.01, rel=0.1)
    assert np.abs(noisy[0] - noisy[2])[mask()].min() > 0
    assert not noisy[0][~mask()].any()


def test_the_order_of_axes_makes_no_difference_to_a_field(tmp_path):
    """Nor at frequencies that an even size does not tell from their opposite."""
    chi = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    affine, fields = oblique_affine(), []
    turn = ornt_transform(io_orientation(affine), axcodes2ornt("PLS"))
    for name in ("stored", "turned"):
        flags = {"output": tmp_path / f"{name}.nii", "noise": 0.01}
        volumes = {"susceptibility": chi, "mask": np.ones(SHAPE, np.uint8)}
        for flag, data in volumes.items():
            image = nibabel.Nifti1Image(data, affine)
            image = image.as_reoriented(turn) if name == "turned" else image
            flags[flag] = tmp_path / f"{name}_{flag}.nii"
            image.to_filename(flags[flag])
        succeed("simulate", **flags)
        image = nibabel.as_closest_canonical(nibabel.load(flags["output"]))
        fields.append(image.get_fdata())
    np.testing.assert_allclose(fields[0], fields[1], atol=1e-6)


def test_flagfile(scan, tmp_path):
    common = f"# the scan\n\n--mask={scan / 'mask.nii.gz'}\n// its grid\n"
    geometry = "--voxel-size=2,2,2\n--b0-dir=-0.6,0,0.8\n"
    (tmp_path / "common.flags").write_text(common + geometry)
    (tmp_path / "tkd.flags").write_text(
        f"--flagfile={tmp_path / 'common.flags'}\n--method=tkd\n"
        f"--field={scan / 'field.nii.gz'}\n"
    )
    result = succeed(
        "reconstruct", flagfile=tmp_path / "tkd.flags", output=tmp_path / "map.nii"
    )
    assert "2 x 2 x 2 mm" in result.out
    assert "-0.6, 0, 0.8" in result.out
    result = run_words(
        *("simulate", "--flagfile", tmp_path / "common.flags"),
        *("--susceptibility", scan / "chi.nii.gz", "--output", tmp_path / "f.nii"),
        "--voxel-size=1,2,3",  # what comes later counts
    )
    assert result.exit_code == 0, result.err
    assert "1 x 2 x 3 mm" in result.out
    (tmp_path / "evaluate.flags").write_text(
        f"--mask={scan / 'mask.nii.gz'}\n#--segmentation=none.nii\n"
    )
    result = succeed(
        "evaluate",
        flagfile=tmp_path / "evaluate.flags",
        reconstruction=scan / "field.nii.gz",
        reference=scan / "chi.nii.gz",
    )
    assert "XSIM" in result.out


def test_the_home_folder_in_a_flag_and_in_a_flagfile(scan, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my mask.nii.gz").symlink_to(scan / "mask.nii.gz")
    (tmp_path / "some.flags").write_text("--mask=~/my mask.nii.gz\n--noise=0.1\n")
    result = run_words(
        *("simulate", "--flagfile=~/some.flags", "--output", "~/f.nii"),
        f"--susceptibility={scan / 'chi.nii.gz'}",
    )
    assert result.exit_code == 0, result.err
    assert (tmp_path / "f.nii").exists()
