"""A scan as QSM-CI lays it out, and the QSM-CI submission run on it."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np

from spinet_tf.phantom import digital_head
from tests.command_line import VOXEL_SIZE, oblique_affine
from tests.conftest import ROOT

SUBMISSION = ROOT / "deploy" / "qsm-ci" / "spinet-tf"
SHAPE = (47, 57, 33)
AFFINE = oblique_affine()
# QSM-CI's B0_dir: the scanner's z axis in voxel axes.
B0_DIRECTION = AFFINE[2, :3] / VOXEL_SIZE
ENVIRONMENT = {
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": str(ROOT),
}


def dipole_field(chi, b0_direction):
    k = np.meshgrid(
        *(np.fft.fftfreq(n, d) for n, d in zip(SHAPE, VOXEL_SIZE, strict=True)),
        indexing="ij",
    )
    along = sum(b * axis for b, axis in zip(b0_direction, k, strict=True))
    squared = sum(axis**2 for axis in k)
    squared[0, 0, 0] = 1
    kernel = 1 / 3 - along**2 / squared
    kernel[0, 0, 0] = 0
    return np.fft.ifftn(kernel * np.fft.fftn(chi)).real


def write_inputs(folder, affine=AFFINE, params=True):
    """The files that QSM-CI mounts at /input."""
    head = digital_head(SHAPE, VOXEL_SIZE)
    field = (dipole_field(head.susceptibility, B0_DIRECTION) * head.mask).astype(
        np.float32
    )
    folder.mkdir()
    for name, data in (("localfield", field), ("mask", head.mask.astype(np.uint8))):
        nibabel.save(nibabel.Nifti1Image(data, affine), folder / f"{name}.nii.gz")
    if params:
        values = {"TE": [1.0], "B0": 3.0, "B0_dir": list(B0_DIRECTION)}
        values["voxel_size"] = list(VOXEL_SIZE)
        (folder / "params.json").write_text(json.dumps(values))
    return head


def run(*words, **settings):
    settings = {"env": ENVIRONMENT, **settings}
    return subprocess.run(words, capture_output=True, text=True, **settings)


def qsm_ci(folder, *words):
    """`qsm-ci run` where no home can be written to, not even by root."""
    return run(
        *(sys.executable, "-m", "qsm_ci.cli", "run", SUBMISSION, "--runner", "local"),
        *("--localfield", folder / "input" / "localfield.nii.gz"),
        *("--mask", folder / "input" / "mask.nii.gz"),
        *("--params", folder / "input" / "params.json"),
        *("-o", folder / "chimap.nii.gz", *words),
        env={**ENVIRONMENT, "HOME": "/dev/null/home"},
        cwd=folder,
    )


def recon_module():
    spec = importlib.util.spec_from_file_location("recon", SUBMISSION / "recon.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
