"""Thick slices: how they are cut, that nothing moves, and that maps gain by it."""

import functools

import numpy as np
import pytest

from benchmarks.thick_slices import thick_scan
from spinet_tf.classical import tikhonov
from spinet_tf.errors import InputError, OutOfMemory
from spinet_tf.metrics_challenge import challenge_metrics
from spinet_tf.model_files import load_model
from spinet_tf.phantom import digital_head
from spinet_tf.pretrained import PRETRAINED
from spinet_tf.reconstruct import Reconstructor, reconstruct_classical
from spinet_tf.reconstruction import data_consistency_error
from spinet_tf.residual import field_residual
from spinet_tf.simulate import simulate_field
from spinet_tf.thick_slices import ThinGrid, reconstruct_thin, white_noise
from tests.command_line import (
    assert_one_line,
    mask,
    read,
    read_json,
    run,
    run_words,
    succeed,
)
from tests.mat_files import write_v5

B0 = (0.36, -0.48, 0.8)


@pytest.mark.parametrize(
    ("voxel_size", "parts"),
    [
        ((1, 1, 1), (1, 1, 1)),
        ((0.3, 0.3, 0.3), (1, 1, 1)),
        ((1, 1, 1.99), (1, 1, 1)),
        ((1, 1, 2), (1, 1, 2)),
        ((0.67, 2.01, 0.67), (1, 2, 1)),
        ((0.5, 0.5, 1.5), (1, 1, 1)),
        ((0.5, 0.5, 3), (1, 1, 3)),
        ((3, 1, 2), (3, 1, 2)),
        ((4, 4, 8), (1, 1, 2)),
        ((1, 1, 1e307), (1, 1, 8)),
        # As headers have them, in float32.
        ((np.float32(0.9), 0.9, np.float32(2.7)), (1, 1, 3)),
        ((0.8, 0.8, 2.4 - 1e-7), (1, 1, 3)),
    ],
)
def test_into_how_many_parts_edges_are_cut(voxel_size, parts):
    grid = ThinGrid(voxel_size)
    assert grid.parts == parts
    np.testing.assert_allclose(np.multiply(grid.voxel_size, parts), voxel_size)


def wave(size, parts, cycles):
    """A plane wave, sampled in the middle of each voxel's parts."""
    positions = (
        (np.arange(n * k) + 0.5) / (n * k) for n, k in zip(size, parts, strict=True)
    )
    x, y, z = np.meshgrid(*positions, indexing="ij")
    a, b, c = cycles
    return np.cos(2 * np.pi * (a * x + b * y + c * z) + 0.4)


@pytest.mark.parametrize("voxel_size", [(1, 3, 2), (2, 1, 1), (1, 1, 4)])
def test_a_wave_is_interpolated_where_it_is(voxel_size):
    size, cycles = (9, 7, 8), (3, -2, 2)
    grid = ThinGrid(voxel_size)
    fine = grid.interpolate(wave(size, (1, 1, 1), cycles))
    np.testing.assert_allclose(fine, wave(size, grid.parts, cycles), atol=1e-12)


def test_averaging_undoes_repeating():
    grid = ThinGrid((2, 1, 3))
    volume = np.random.default_rng(0).standard_normal((5, 4, 3))
    fine = grid.repeat(volume)
    assert fine.shape == (10, 4, 9)
    np.testing.assert_array_equal(fine[::2, :, 2::3], volume)
    np.testing.assert_allclose(grid.average(fine), volume, rtol=1e-12)


def test_the_solver_gets_thin_slices_and_the_map_is_the_fields():
    field, inside = np.random.default_rng(1).normal(0, 0.02, (2, 9, 8, 6))
    inside = inside > -0.01
    field[~inside] = 0
    voxel_size, seen = (1.0, 2.0, 3.0), []

    def solve(*scan):
        seen.append(scan)
        return reconstruct_classical(functools.partial(tikhonov, weight=0.05), *scan)

    result = reconstruct_thin(solve, field, inside, voxel_size, B0)
    thin_field, thin_mask, thin_size, b0_direction = seen[0]
    grid = ThinGrid(voxel_size)
    assert thin_size == (1, 1, 1) and b0_direction == B0
    np.testing.assert_array_equal(thin_mask, grid.repeat(inside))
    noise = grid.missing_noise(
        white_noise(field, inside, voxel_size, B0), thin_mask.shape
    )
    expected = grid.interpolate(np.where(inside, field, 0)) + noise
    expected = np.where(thin_mask, expected, 0)
    np.testing.assert_allclose(thin_field, expected, atol=1e-12)
    single = grid.interpolate(field.astype(np.float32))
    assert single.dtype == np.float32
    assert result.susceptibility.shape == field.shape
    assert (result.susceptibility[~inside] == 0).all()
    # The field's mean, which D(0) makes a difference to, is not zero.
    errors = [
        reconstruct_thin(solve, field, inside, voxel_size, B0, at_zero).data_consistency
        for at_zero in (0.0, 1 / 3)
    ]
    assert errors[0] == result.data_consistency != errors[1]
    # What the field has outside of the mask stays there.
    outside = np.random.default_rng(2).normal(0, 1e3, field.shape) * ~inside
    outside[tuple(np.argwhere(~inside)[0])] = np.nan
    reconstruct_thin(solve, field + outside, inside, voxel_size, B0)
    expected = thin_field + ~thin_mask * grid.interpolate(np.nan_to_num(outside))
    np.testing.assert_allclose(seen[-1][0], expected, rtol=1e-12, atol=1e-12)


def test_other_voxels_are_left_as_they_are():
    scan = np.zeros((4, 4, 4)), np.ones((4, 4, 4)), (1, 1.5, 0.9), B0
    given = reconstruct_thin(lambda *inputs: inputs, *scan)
    assert all(a is b for a, b in zip(given, scan, strict=True))


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_fields_of_any_float_will_do(dtype):
    rng = np.random.default_rng(0)
    field = rng.standard_normal((4, 4, 4)).astype(np.float16)
    scan = np.ones(field.shape), (1, 1, 3), B0
    solve = functools.partial(reconstruct_classical, tikhonov)
    found, expected = (
        reconstruct_thin(solve, field.astype(kind), *scan).susceptibility
        for kind in (dtype, np.float32)
    )
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_what_is_no_scan_is_refused_first():
    field = np.zeros((4, 4, 4))
    for changed in ((field[0], field), (field, field[:2]), (field + 1j, field)):
        with pytest.raises(InputError):
            reconstruct_thin(pytest.fail, *changed, (1, 1, 3), B0)
    with pytest.raises(InputError, match="voxel_size"):
        reconstruct_thin(pytest.fail, field, field, "1,1,3", B0)


def test_too_large_for_the_memory(memory):
    memory.available = 44 * 40 * 40 * 30 - 1
    field = np.zeros((40, 40, 10))
    with pytest.raises(OutOfMemory, match="slices .* to 40 x 40 x 30 voxels needs"):
        reconstruct_thin(None, field, field + 1, (1, 1, 3), B0)


@pytest.mark.parametrize(("edge", "told"), [(2.5, True), (1, False)])
def test_memory_that_thin_slices_take_is_told(scan, tmp_path, edge, told):
    write_v5(tmp_path / "a.mat", phs=read(scan / "field.nii.gz"), msk=mask())
    result = run(
        "reconstruct",
        field=tmp_path / "a.mat:phs",
        mask=tmp_path / "a.mat:msk",
        voxel_size=f"1,{edge},1",
        b0_dir="0,0,1",
        memory_limit=0.001,
        output=tmp_path / "map.nii",
    )
    assert_one_line(result, "of memory, 0 GB are available of the limit of 0.001 GB")
    assert ("not with --keep-slices" in result.err) == told


@pytest.mark.parametrize(("noise", "hfen_left"), [(0.002, 0.9), (0.005, 0.95)])
def test_the_shipped_network_makes_a_better_map_of_thin_slices(noise, hfen_left):
    head, b0 = digital_head((64, 76, 54)), (0, 0, 1)
    field = simulate_field(head.susceptibility, head.mask | True, (1, 1, 1), b0)
    whole = field, head.mask, (1, 1, 1), b0
    scan, truth = thick_scan(whole, head.susceptibility, 3, noise)
    assert scan[0].shape == truth.shape == (64, 76, 18)
    assert scan[2] == (1, 1, 3)
    network = Reconstructor(load_model(PRETRAINED))
    kept, thin = (
        challenge_metrics(result.susceptibility, truth, scan[1])
        for result in (network(*scan), reconstruct_thin(network, *scan))
    )
    assert thin["hfen"] < hfen_left * kept["hfen"]
    assert thin["nrmse"] < 0.95 * kept["nrmse"]
    assert thin["xsim"] > kept["xsim"]


def test_of_the_command_line(scan, tmp_path):
    flags = {
        "field": scan / "field.nii.gz",
        "mask": scan / "mask.nii.gz",
        "model": scan / "tiny.keras",
        "voxel_size": "1,2.5,1",
    }
    succeed("reconstruct", **flags, output=tmp_path / "thin.nii", iterates=tmp_path)
    words = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
    kept = run_words(
        "reconstruct", *words, "--keep-slices", f"--output={tmp_path / 'kept.nii'}"
    )
    assert kept.exit_code == 0, kept.err
    network = Reconstructor(load_model(scan / "tiny.keras"))
    sidecar = read_json(tmp_path / "thin.json")
    assert sidecar["VoxelParts"] == [1, 2, 1]
    inputs = (
        read(scan / "field.nii.gz"),
        mask(),
        sidecar["VoxelSize"],
        sidecar["B0Direction"],
    )
    thin, direct = reconstruct_thin(network, *inputs, 0.0), network(*inputs)
    for name, expected in {
        "thin": thin.susceptibility,
        "unroll-1": thin.unrolls[0].susceptibility,
        "kept": direct.susceptibility,
    }.items():
        path = tmp_path / f"{name}.nii"
        found = read(path if path.exists() else tmp_path / f"{name}.nii.gz")
        np.testing.assert_allclose(found, expected, atol=1e-6)
    difference = np.linalg.norm(thin.susceptibility - direct.susceptibility)
    assert difference > 0.01 * np.linalg.norm(direct.susceptibility)
    residual = field_residual(read(tmp_path / "thin.nii"), *inputs)
    share = data_consistency_error(residual, *inputs[:2])
    assert sidecar["DataConsistencyError"] == pytest.approx(share, rel=1e-3)
    sidecar = read_json(tmp_path / "kept.json")
    assert sidecar["VoxelParts"] is None
    refused = run_words(
        *("reconstruct", *words[:2], "--method=tkd", "--keep-slices"),
        f"--output={tmp_path / 'tkd.nii'}",
    )
    message = "--keep-slices, .* go with the method spinet, got tkd"
    assert_one_line(refused, message)
