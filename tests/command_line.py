"""A small scan on disk, and the command line run on it in this process."""

import contextlib
import io
import json
import re
from typing import NamedTuple

import keras
import nibabel
import numpy as np
from scipy.ndimage import gaussian_filter

from spinet_cli.main import main
from spinet_tf import SpiNetQSM
from spinet_tf.model_files import save_model

SHAPE = (18, 21, 16)
VOXEL_SIZE = (1.1, 0.9, 1.6)
PNG = b"\x89PNG"


class Result(NamedTuple):
    exit_code: int
    out: str
    err: str


def run(subcommand, **flags):
    """Run a subcommand; `mask_threshold=0.5` stands for --mask-threshold=0.5.

    A list stands for a flag with several values.
    """
    words = []
    for name, value in flags.items():
        values = value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}={one}" for one in values]
    return run_words(subcommand, *words)


def run_words(*words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        exit_code = main([str(word) for word in words])
    return Result(exit_code, out.getvalue(), err.getvalue())


def succeed(subcommand, **flags):
    result = run(subcommand, **flags)
    assert result.exit_code == 0, result.err
    return result


def oblique_affine(degrees=(20, 10)):
    a, b = np.radians(degrees)
    about_x = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
    about_y = [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
    affine = np.eye(4)
    affine[:3, :3] = np.array(about_x) @ about_y * VOXEL_SIZE
    affine[:3, 3] = -9, -12, 30
    return affine


def mask():
    radii = [2 * (np.arange(n) - (n - 1) / 2) / (n - 3) for n in SHAPE]
    x, y, z = np.meshgrid(*radii, indexing="ij", sparse=True)
    return x**2 + y**2 + z**2 < 1


def susceptibility(seed=0):
    noise = np.random.default_rng(seed).standard_normal(SHAPE)
    smooth = gaussian_filter(noise, 1.2)
    return (0.05 * smooth / smooth.std() * mask()).astype(np.float32)


def write(path, data, affine=None):
    affine = oblique_affine() if affine is None else affine
    nibabel.save(nibabel.Nifti1Image(data, affine), path)
    return path


def read(path):
    return nibabel.load(path).get_fdata(dtype=np.float32)


def read_json(path):
    return json.loads(path.read_text())


def write_scan(folder):
    """chi.nii.gz, mask.nii.gz and the simulated field.nii.gz."""
    write(folder / "chi.nii.gz", susceptibility())
    write(folder / "mask.nii.gz", mask().astype(np.uint8))
    succeed(
        "simulate",
        susceptibility=folder / "chi.nii.gz",
        mask=folder / "mask.nii.gz",
        output=folder / "field.nii.gz",
    )


def write_tikhonov(folder):
    """A map of the scan in the folder, tikhonov.nii.gz."""
    succeed(
        "reconstruct",
        field=folder / "field.nii.gz",
        mask=folder / "mask.nii.gz",
        output=folder / "tikhonov.nii.gz",
        method="tikhonov",
    )


def evaluate(scan, **flags):
    """Run `evaluate` on the `scan` of conftest; flags may replace its files."""
    return succeed(
        "evaluate",
        **{
            "reconstruction": scan / "tikhonov.nii.gz",
            "reference": scan / "chi.nii.gz",
            "mask": scan / "mask.nii.gz",
            **flags,
        },
    )


def write_model(path):
    """A small network with random weights."""
    keras.utils.set_random_seed(1)
    save_model(SpiNetQSM(filters=4, blocks=1, unrolls=2, initial_p=1.5), path)
    return path


def listing(folder):
    """Every file below a folder with its content, and every folder."""
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def refused(folder, message, subcommand, **flags):
    """Bad input: exit code 2, one line on standard error, the folder as it was.

    The line must match `message`. A flag that is None is left out.
    """
    flags = {name: value for name, value in flags.items() if value is not None}
    before = listing(folder)
    result = run(subcommand, **flags)
    assert_one_line(result, message)
    assert listing(folder) == before


def assert_one_line(result, message):
    assert result.exit_code == 2, result
    assert re.fullmatch(r"spinet-qsm[ a-z]*: error: [^\n]+\n", result.err), result.err
    assert re.search(message, result.err), result.err


def make_scan(tmp_path_factory):
    """A folder with a scan and a small network, `tiny.keras`."""
    folder = tmp_path_factory.mktemp("scan")
    write_scan(folder)
    write_model(folder / "tiny.keras")
    return folder
