"""The QSM-CI submission, run as QSM-CI runs it, on odd sizes and an oblique scan."""

import os
import re
import shutil

import nibabel
import numpy as np
import pytest
from qsm_ci import qsm_eval

from tests.command_line import VOXEL_SIZE, read, read_json, succeed
from tests.submission import (
    AFFINE,
    B0_DIRECTION,
    ENVIRONMENT,
    SHAPE,
    SUBMISSION,
    dipole_field,
    qsm_ci,
    recon_module,
    run,
    write_inputs,
)

OUTPUTS = {"chimap.nii.gz", "chimap.json", "chimap.png"}


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A phantom, and what `qsm-ci run` made of its field."""
    folder = tmp_path_factory.mktemp("qsm_ci")
    head = write_inputs(folder / "input")
    for name, data in (("truth", head.susceptibility), ("labels", head.segmentation)):
        nibabel.save(nibabel.Nifti1Image(data, AFFINE), folder / f"{name}.nii.gz")
    words = ("--truth", folder / "truth.nii.gz", "--seg", folder / "labels.nii.gz")
    result = qsm_ci(folder, *words)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "xsim" in result.stdout
    assert_only_progress(result.stderr)
    return folder


def assert_only_progress(text):
    """No library complains of a home that is missing or read-only."""
    assert re.fullmatch(r"(unroll \d of \d: [^\n]+\n)+", text), text


def test_the_map_is_3d_and_on_the_grid_of_the_mask(scan):
    image = nibabel.load(scan / "chimap.nii.gz")
    mask = nibabel.load(scan / "input" / "mask.nii.gz")
    assert image.shape == mask.shape == SHAPE
    assert image.get_data_dtype() == np.float32
    np.testing.assert_allclose(image.affine, mask.affine, atol=1e-5)
    values = image.get_fdata()
    assert np.isfinite(values).all()
    assert not values[mask.get_fdata() == 0].any()


def test_evaluate_scores_as_qsm_ci_does(scan):
    names = ("chimap", "truth", "input/mask", "labels")
    files = [scan / f"{name}.nii.gz" for name in names]
    *maps, labels = map(qsm_eval.load, files)
    theirs, _ = qsm_eval.score_arrays(*maps, seg=labels.astype(int))
    flags = ("reconstruction", "reference", "mask", "segmentation")
    succeed("evaluate", **dict(zip(flags, files, strict=True)), output_dir=scan / "out")
    ours = read_json(scan / "out" / "metrics.json")["challenge"]
    assert len(theirs) == 12 and np.isfinite(list(theirs.values())).all()
    assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-6)


def test_b0_is_in_voxel_axes(scan):
    """As the affine has it here; read as scanner axes, B0 would be along z."""
    mask, field = (read(scan / "input" / f"{n}.nii.gz") for n in ("mask", "localfield"))
    chi = read(scan / "chimap.nii.gz")

    def misfit(direction):
        predicted = mask * dipole_field(chi, direction)
        return np.linalg.norm(predicted - field) / np.linalg.norm(field)

    assert misfit(B0_DIRECTION) < 0.6 * misfit((0, 0, 1))
    succeed(
        "reconstruct",
        field=scan / "input" / "localfield.nii.gz",
        mask=scan / "input" / "mask.nii.gz",
        output=scan / "from_affine.nii",
    )
    np.testing.assert_allclose(chi, read(scan / "from_affine.nii"), atol=1e-5)


def confinement():
    """Words that take root's rights, and the network, from the command after them."""
    if os.geteuid():
        return ()
    words = ("unshare", "--net", "setpriv", "--bounding-set=-all", "--inh-caps=-all")
    missing = [word for word in (words[0], words[2]) if not shutil.which(word)]
    if missing or run(*words, "true").returncode:
        pytest.skip("root's rights cannot be dropped here")
    return words


def test_only_the_output_folder_is_written_to(scan, tmp_path):
    """And only the environment has the parameters, of a scan whose affine is none."""
    write_inputs(tmp_path / "input", np.diag([*VOXEL_SIZE, 1]), params=False)
    for path in (tmp_path / "input").iterdir():
        path.chmod(0o444)
    (tmp_path / "input").chmod(0o555)
    for name in ("output", "home"):
        (tmp_path / name).mkdir()
    words = confinement()
    assert run(*words, "touch", tmp_path / "input" / "new").returncode
    result = run(
        *(*words, "bash", SUBMISSION / "run.sh"),
        *(tmp_path / "input", tmp_path / "output"),
        cwd=tmp_path / "input",
        env={
            **ENVIRONMENT,
            "HOME": str(tmp_path / "home"),
            "QSMCI_B0_DIR": " ".join(map(str, B0_DIRECTION)),
            "QSMCI_VOXEL_SIZE": " ".join(map(str, VOXEL_SIZE)),
        },
    )
    assert result.returncode == 0, result.stderr
    assert_only_progress(result.stderr)
    assert not any((tmp_path / "home").iterdir())
    assert {path.name for path in (tmp_path / "output").iterdir()} == OUTPUTS
    details = read_json(tmp_path / "output" / "chimap.json")
    assert details["B0Direction"] == pytest.approx(B0_DIRECTION, abs=1e-5)
    assert details["Precision"] == "float32"
    np.testing.assert_allclose(
        read(tmp_path / "output" / "chimap.nii.gz"),
        read(scan / "chimap.nii.gz"),
        atol=1e-5,
    )


def test_bfloat16_if_asked_for(tmp_path):
    write_inputs(tmp_path / "input")
    (tmp_path / "input" / "config.json").write_text('{"precision": "bfloat16"}')
    assert recon_module().main([str(tmp_path / "input"), str(tmp_path)]) == 0
    assert read_json(tmp_path / "chimap.json")["Precision"] == "bfloat16"
