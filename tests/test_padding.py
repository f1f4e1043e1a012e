"""Zeros around a volume: what they are for, and that the grid stays the field's."""

import functools

import keras
import nibabel
import numpy as np
import pytest

from benchmarks.agreement import relative_error
from spinet_cli import reconstruction_files
from spinet_tf import SpiNetQSM
from spinet_tf.classical import tikhonov
from spinet_tf.errors import InputError
from spinet_tf.model_files import load_model
from spinet_tf.padding import (
    LARGEST_FAST_FACTOR,
    PaddedGrid,
    check_padding,
    largest_prime_factor,
    reconstruct_padded,
)
from spinet_tf.reconstruct import Reconstructor, reconstruct_classical
from spinet_tf.simulate import simulate_field
from tests.command_line import (
    VOXEL_SIZE,
    mask,
    oblique_affine,
    read,
    read_json,
    refused,
    succeed,
)

B0 = (0.36, -0.48, 0.8)


def test_padded_sizes():
    def size(matrix_size, padding, voxel_size=(1.0, 1.0, 1.0)):
        return PaddedGrid(matrix_size, voxel_size, padding, fast=True).size

    assert size((97, 160, 43), 0) == (98, 160, 43)
    assert size((157, 254, 257), 0) == (160, 256, 264)
    assert size((20, 21, 22), 6, (0.5, 2.0, 4.0)) == (44, 27, 26)
    # An edge as a header has it, in float32, does not cost a voxel.
    assert size((8, 8, 8), 3.0, (float(np.float32(0.3)), 0.3, 1.5)) == (28, 28, 12)
    assert size((8, 8, 8), 7.0, (float(np.float32(0.7)),) * 3) == (28, 28, 28)
    assert size((8, 8, 8), 3.1, (1.0, 0.5, 3.0)) == (16, 22, 12)
    assert size((1, 1, 1), 0) == (1, 1, 1)
    assert PaddedGrid((97, 9, 9), (1, 1, 1), 1).size == (99, 11, 11)
    for n in range(1, 300):
        (padded, _, _) = size((n, 4, 4), 0)
        assert largest_prime_factor(padded) <= LARGEST_FAST_FACTOR
        assert (padded == n) == (largest_prime_factor(n) <= LARGEST_FAST_FACTOR)
        assert n <= padded <= 1.06 * n + 1


def test_largest_prime_factor():
    numbers = {1: 1, 2: 2, 9: 3, 97: 97, 154: 11, 254: 127, 2**10: 2, 53**2: 53}
    assert {n: largest_prime_factor(n) for n in numbers} == numbers


def test_cropping_undoes_padding():
    volume = np.random.default_rng(0).standard_normal((47, 4, 7))
    grid = PaddedGrid(volume.shape, (1.0, 2.0, 0.5), 1.0, fast=True)
    padded = grid.pad(volume)
    assert padded.shape == grid.size == (49, 6, 11)
    np.testing.assert_array_equal(grid.crop(padded), volume)
    assert np.count_nonzero(padded) == np.count_nonzero(volume)
    assert not padded[0].any()
    assert not padded[-1].any()


@pytest.mark.parametrize("padding", [-1, -1e-9, np.nan, np.inf, 501])
def test_a_padding_that_is_none(padding):
    with pytest.raises(InputError, match="padding: expected 0 to 500 mm, got"):
        check_padding(padding)


@pytest.fixture(scope="module")
def solvers():
    keras.utils.set_random_seed(0)
    small = {"filters": 4, "blocks": 1, "unrolls": 2, "initial_p": 1.5}
    return {
        "tikhonov": functools.partial(reconstruct_classical, tikhonov),
        "fill outside": Reconstructor(SpiNetQSM(**small, fill_outside=True)),
    }


def near_the_faces():
    """A source near three faces of a volume, in one four times as wide.

    Returns:
        Where the volume is in the wide one; the wide mask and local field.
    """
    size = np.array((15, 18, 13))
    start = size + 5
    rng = np.random.default_rng(2)
    wide = tuple(4 * size)
    inside = np.zeros(wide, bool)
    inside[tuple(slice(s + 1, s + 9) for s in start)] = rng.random((8, 8, 8)) < 0.9
    chi = np.where(inside, rng.normal(0.05, 0.03, wide), 0).astype(np.float32)
    cut = tuple(slice(s, s + n) for s, n in zip(start, size, strict=True))
    return cut, inside, simulate_field(chi, inside, VOXEL_SIZE, B0)


def test_near_the_faces_as_in_a_larger_volume(solvers):
    """With 25 mm of padding, closely; Tikhonov's filter reaches far, and less so."""
    cut, inside, field = near_the_faces()
    scan = field[cut], inside[cut], VOXEL_SIZE, B0
    within = {"tikhonov": 0.08, "fill outside": 0.008}
    for name, solve in solvers.items():
        expected = solve(field, inside, VOXEL_SIZE, B0).susceptibility[cut]
        errors = []
        for padding in (0, 6, 25):
            result = reconstruct_padded(solve, padding, False, *scan)
            maps = [unroll.susceptibility for unroll in result.unrolls]
            for chi in (result.susceptibility, *maps):
                assert chi.shape == inside[cut].shape
                assert not chi[~inside[cut]].any()
            errors.append(relative_error(result.susceptibility, expected))
        assert errors[0] > errors[1] > errors[2], (name, errors)
        assert errors[2] < min(within[name], errors[0] / 2), (name, errors)


def test_a_slow_size_is_padded_and_cropped(solvers):
    size = (94, 24, 20)
    inside = np.zeros(size, bool)
    inside[12:-12, 4:-4, 4:-4] = True
    rng = np.random.default_rng(0)
    chi = np.where(inside, rng.normal(0, 0.05, size), 0).astype(np.float32)
    scan = simulate_field(chi, inside, VOXEL_SIZE, B0), inside, VOXEL_SIZE, B0
    seen = []

    def solve(*scan):
        seen.append(scan[0].shape)
        return solvers["fill outside"](*scan)

    padded = reconstruct_padded(solve, 0, True, *scan).susceptibility
    circular = reconstruct_padded(solve, 0, False, *scan).susceptibility
    assert seen == [(96, 24, 20), size]
    assert padded.shape == size
    assert 0 < relative_error(padded, circular) < 3e-3


def test_pad_of_the_command_line(scan, tmp_path, monkeypatch):
    reported = []
    monkeypatch.setattr(
        reconstruction_files,
        "reconstruction_sections",
        lambda *arguments: reported.extend(arguments) or {},
    )
    succeed(
        "reconstruct",
        field=scan / "field.nii.gz",
        mask=scan / "mask.nii.gz",
        model=scan / "tiny.keras",
        pad=5,
        output=tmp_path / "map.nii",
        iterates=tmp_path,
        report=tmp_path / "report.html",
    )
    image = nibabel.load(tmp_path / "map.nii")
    np.testing.assert_allclose(image.affine, oblique_affine(), atol=1e-5)
    sidecar = read_json(tmp_path / "map.json")
    assert sidecar["Padding"] == 5
    # 5 mm are 5, 6 and 4 voxels of 1.1, 0.9 and 1.6 mm.
    assert sidecar["PaddedSize"] == [18 + 10, 21 + 12, 16 + 8]
    around = ((5, 5), (6, 6), (4, 4))
    wide = Reconstructor(load_model(scan / "tiny.keras"))(
        np.pad(read(scan / "field.nii.gz"), around),
        np.pad(mask(), around),
        sidecar["VoxelSize"],
        sidecar["B0Direction"],
    )
    expected = wide.susceptibility[5:-5, 6:-6, 4:-4]
    assert relative_error(read(tmp_path / "map.nii"), expected) < 1e-5
    assert read(tmp_path / "unroll-1.nii.gz").shape == expected.shape
    consistency = pytest.approx(wide.data_consistency, rel=1e-4)
    assert sidecar["DataConsistencyError"] == consistency
    residual, field = reported[4], mask() * read(scan / "field.nii.gz")
    assert np.linalg.norm(residual) / np.linalg.norm(field) == consistency


@pytest.mark.parametrize(
    ("pad", "message"),
    [
        (-1, "--pad: expected 0 to 500 mm, got -1"),
        ("nan", "--pad: expected 0 to 500 mm, got nan"),
        (1e300, "--pad: expected 0 to 500 mm, got 1e+300"),
        ("much", "argument --pad: invalid float value: 'much'"),
        (
            500,
            "padding: a volume of 928 x 1134 x 648 voxels needs 3.41 GB of memory,"
            " 0.01 GB are available",
        ),
        (20, "field: reconstructing 56 x 70 x 42 voxels .* needs"),
    ],
)
def test_pad_that_cannot_be(scan, tmp_path, memory, pad, message):
    memory.available = 10**7
    refused(
        tmp_path,
        message.replace("+", r"\+"),
        "reconstruct",
        field=scan / "field.nii.gz",
        mask=scan / "mask.nii.gz",
        model=scan / "tiny.keras",
        pad=pad,
        output=tmp_path / "map.nii",
    )


@pytest.mark.parametrize("shape", [(1, 8, 8), (8,), (7, 8, 8)])
def test_a_field_of_another_shape_than_its_mask(shape):
    geometry = (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)
    solve = functools.partial(reconstruct_classical, tikhonov)
    with pytest.raises(InputError, match="expected the (shape|axes)"):
        reconstruct_padded(
            solve, 2, True, np.ones(shape, "f4"), np.ones((8, 8, 8)), *geometry
        )
