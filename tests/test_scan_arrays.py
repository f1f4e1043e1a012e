"""What the library's callers give for a scan is checked, as files are."""

import functools

import numpy as np
import pytest

from spinet_tf import SpiNetQSM
from spinet_tf.classical import tkd
from spinet_tf.errors import InputError
from spinet_tf.orientation import reconstruct_in_canonical_axes
from spinet_tf.reconstruct import Reconstructor, reconstruct_classical
from spinet_tf.simulate import simulate_field

SIZE = (8, 7, 9)
B0 = (0.0, 0.0, 1.0)
AFFINE = np.diag([-1.0, 1.0, 2.0, 1.0])


def scan():
    rng = np.random.default_rng(0)
    mask = np.zeros(SIZE, np.float32)
    mask[1:-1, 1:-1, 1:-1] = 1
    field = 0.01 * mask * rng.standard_normal(SIZE).astype(np.float32)
    return {"volume": field, "mask": mask, "voxel_size": (1, 1, 2), "b0_direction": B0}


@pytest.fixture(scope="module")
def network():
    return Reconstructor(SpiNetQSM(filters=2, blocks=1, unrolls=1))


@pytest.fixture(params=["network", "classical", "simulate", "turned"])
def solve(request, network):
    """A front end with a scan's values for arguments."""
    called = {
        "network": network,
        "classical": lambda *scan: reconstruct_classical(tkd, *scan),
        "simulate": simulate_field,
        "turned": functools.partial(reconstruct_in_canonical_axes, network, AFFINE),
    }[request.param]
    return lambda **scan: called(*scan.values())


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("volume", lambda x: x[0], "(local_field|susceptibility): .* axes .*7, 9"),
        ("volume", lambda x: x + 1j, "(local_field|susceptibility): .* real .*complex"),
        ("volume", lambda x: x + np.nan, "(local_field|susceptibility): .* finite"),
        (
            "volume",
            lambda x: x.astype(float) + 1e39,
            "(local_field|susceptibility): .* float32",
        ),
        ("volume", lambda x: x[:0], r"(local_field|susceptibility): .* \(0, 7, 9\)"),
        ("volume", lambda x: [[[1, 2], [1]]], "(local_field|susceptibility): .* array"),
        ("mask", lambda x: x[:1], r"mask: expected the shape \(8, 7, 9\), got \(1, 7"),
        ("mask", lambda x: x / 2, "mask: expected 0 and 1"),
        ("mask", lambda x: -x, "mask: expected 0 and 1"),
        ("voxel_size", lambda x: (1, 1, np.nan), "voxel_size: .* got 1, 1, nan"),
        ("voxel_size", lambda x: (1, 1, -2), "voxel_size: .* got 1, 1, -2"),
        ("voxel_size", lambda x: 1.0, "voxel_size: expected three numbers, got 1"),
        ("b0_direction", lambda x: (0, 0, 0), "b0_direction: .* longer than 0"),
        ("b0_direction", lambda x: (0, 1), "b0_direction: .* got .0, 1"),
        ("b0_direction", lambda x: [x], "b0_direction: expected three numbers"),
        ("voxel_size", lambda x: ("a", 1, 1), "voxel_size: expected three numbers"),
        ("voxel_size", lambda x: (1, [1, 2], 1), "voxel_size: expected an array"),
    ],
)
def test_refused(solve, name, change, message):
    changed = scan()
    changed[name] = change(changed[name])
    with pytest.raises(InputError, match=message):
        solve(**changed)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_outside_the_mask_counts_as_zero(network, bad):
    given = scan()
    expected = network(*given.values())
    given["volume"] = np.where(given["mask"] > 0, given["volume"], bad)
    found = network(*given.values())
    np.testing.assert_array_equal(found.susceptibility, expected.susceptibility)
    assert found.data_consistency == expected.data_consistency


def test_a_source_that_is_not_finite_is_one_outside_the_mask_too():
    given = scan()
    given["volume"][0, 0, 0] = np.nan
    with pytest.raises(InputError, match="susceptibility: expected finite values"):
        simulate_field(*given.values())


@pytest.mark.parametrize("noise", [-1, np.nan, np.inf, 1e300])
def test_noise_that_is_none(noise):
    with pytest.raises(InputError, match="noise: expected 0 to 1000 ppm, got"):
        simulate_field(*scan().values(), noise)


@pytest.mark.parametrize("seed", [-1, 1.5, None])
def test_a_seed_that_is_none(seed):
    with pytest.raises(InputError, match=f"seed: expected an integer >= 0, got {seed}"):
        simulate_field(*scan().values(), seed=seed)


def test_lists_will_do(network):
    given = scan()
    expected = network(*given.values()).susceptibility
    found = network(*(np.asarray(value).tolist() for value in given.values()))
    np.testing.assert_array_equal(found.susceptibility, expected)
