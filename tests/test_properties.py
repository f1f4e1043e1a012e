"""What holds for every volume: any matrix size, voxel size, B0 direction and mask."""

import functools
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from spinet_tf import denoising_plan
from spinet_tf.classical import CLASSICAL_METHODS
from spinet_tf.copies import folded
from spinet_tf.holes import fill_holes
from spinet_tf.padding import reconstruct_padded
from spinet_tf.reconstruct import Reconstructor, reconstruct_classical
from spinet_tf.tiles import plan_tiles
from tests.networks import perturbed_model

FEW = settings(max_examples=6, deadline=None, derandomize=True, database=None)
MANY = settings(FEW, max_examples=50)
LARGEST = 40_000  # voxels
# Rounding can make the solver stop an iteration earlier or later, which counts for more
# than its tolerance where the system is ill-conditioned.
TOLERANCE = 1e-5
SAME = 100 * TOLERANCE
VARIANTS = {
    "real": {},
    "real, adaptive": {"fill_outside": True, "adaptive_penalty": True, "mm_steps": 2},
    "complex": {"channels": 2, "residual": False, "dc_value": 1 / 3},
    "complex, fill outside": {"channels": 2, "fill_outside": True},
}


class Scan(NamedTuple):
    local_field: np.ndarray
    mask: np.ndarray
    voxel_size: tuple
    b0_direction: tuple


@st.composite
def matrix_sizes(draw):
    size = []
    for axes_left in (2, 1, 0):
        room = LARGEST // (int(np.prod(size)) * 8**axes_left)
        size.append(draw(st.integers(8, min(70, room))))
    return tuple(draw(st.permutations(size)))


@st.composite
def b0_directions(draw):
    axis = draw(st.sampled_from([(0.0, 0.0, 1.0), (0.0, -1.0, 0.0), None]))
    seed = draw(st.integers(0, 999))
    vector = np.random.default_rng(seed).standard_normal(3) if axis is None else axis
    return tuple(np.array(vector) / np.linalg.norm(vector))


def make_mask(kind, size, rng):
    """Bool `(x, y, z)`, never empty."""
    mask = np.ones(size, bool)
    if kind == "one voxel":
        mask[:] = False
    elif kind == "holes":
        mask = rng.random(size) < 0.8
    elif kind == "islands":
        smooth = gaussian_filter(rng.standard_normal(size), 2)
        mask = smooth > np.quantile(smooth, 0.9)
    elif kind == "a corner":
        mask[tuple(n // 3 for n in size)] = False
        mask[size[0] // 3 :] = mask[:, size[1] // 3 :] = mask[..., size[2] // 3 :] = 0
    mask[tuple(rng.integers(size))] = True
    return mask


MASKS = ("full", "one voxel", "holes", "islands", "a corner")


@st.composite
def scans(draw):
    size = draw(matrix_sizes())
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    mask = make_mask(draw(st.sampled_from(MASKS)), size, rng)
    amplitude = draw(st.sampled_from([0.0, 1e-6, 0.02, 10.0]))
    field = (amplitude * rng.standard_normal(size)).astype(np.float32)
    voxel_size = tuple(draw(st.floats(0.3, 5)) for _ in range(3))
    return Scan(field, mask, voxel_size, draw(b0_directions()))


class Network:
    """A small network in all the ways it can be run."""

    def __init__(self, variant):
        # Iterations are enough for all to converge, also one voxel in a field of zeros.
        options = {"tolerance": TOLERANCE, "max_iterations": 1000, "initial_p": 1.5}
        model = folded(perturbed_model(**options, chi_mean=0.01, **variant))
        self.reconstructor = Reconstructor(model)
        volume = tf.TensorSpec((None, None, None, None, 1), tf.float32)
        vector = tf.TensorSpec((None, 3), tf.float32)
        names = {"local_field": volume, "mask": volume, "sources": volume}
        names |= {"voxel_size": vector, "b0_direction": vector}
        self.batch = tf.function(lambda inputs: model(inputs), input_signature=[names])

    def run_batch(self, *scans):
        """Maps of scans of one size as one batch."""
        field, mask, *vectors = (
            np.float32(values) for values in zip(*scans, strict=True)
        )
        sources = mask
        if self.reconstructor.model.fill_outside:
            sources = np.float32([fill_holes(scan.mask) for scan in scans])
        names = ("local_field", "mask", "sources", "voxel_size", "b0_direction")
        volumes = (volume[..., np.newaxis] for volume in (field, mask, sources))
        inputs = dict(zip(names, (*volumes, *vectors), strict=True))
        return mask * self.batch(inputs).numpy()[..., 0]

    def run_whole(self, scan):
        """The CNN on all voxels."""
        self.reconstructor.whole_volume = True
        return self.reconstructor(*scan).susceptibility

    def run_tiled(self, scan, budget):
        """Where the mask can change the answer, in tiles of this many bytes."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(denoising_plan, "WORTHWHILE", np.inf)
            patch.setattr(
                denoising_plan,
                "plan_tiles",
                lambda *arguments: plan_tiles(*arguments[:-1], budget),
            )
            self.reconstructor.whole_volume = False
            return self.reconstructor(*scan).susceptibility


@pytest.fixture(scope="module")
def network(request):
    return Network(VARIANTS[request.param])


def assert_sound(chi, scan):
    assert chi.dtype == np.float32
    assert chi.shape == scan.mask.shape
    assert np.isfinite(chi).all()
    assert not chi[~scan.mask].any()


def assert_same(chi, reference):
    scale = max(np.linalg.norm(reference), 1e-30)
    assert np.linalg.norm(chi - reference) <= SAME * scale


def check_network(network, scan, neighbour_seed, budget):
    expected = network.run_whole(scan)
    assert_sound(expected, scan)
    np.testing.assert_array_equal(network.run_whole(scan), expected)

    tiled = network.run_tiled(scan, budget)
    assert_sound(tiled, scan)
    assert_same(tiled, expected)
    np.testing.assert_array_equal(network.run_tiled(scan, budget), tiled)

    rng = np.random.default_rng(neighbour_seed)
    field = rng.standard_normal(scan.mask.shape).astype(np.float32)
    neighbour = Scan(field, scan.mask[::-1], (1.0, 2.0, 0.7), (0.6, 0.0, 0.8))
    (alone,) = network.run_batch(scan)
    for index in (0, 1):
        batch = (scan, neighbour) if index == 0 else (neighbour, scan)
        together = network.run_batch(*batch)[index]
        assert_sound(together, scan)
        assert_same(together, alone)
    assert_same(alone, expected)


def check_classical(scan, padding):
    for method in CLASSICAL_METHODS.values():
        solve = functools.partial(reconstruct_classical, method)
        result, again = (solve(*scan).susceptibility for _ in range(2))
        assert_sound(result, scan)
        np.testing.assert_array_equal(again, result)
        padded = reconstruct_padded(solve, padding, True, *scan)
        assert_sound(padded.susceptibility, scan)


of_network = given(scans(), st.integers(0, 99), st.sampled_from([1e4, 1e5, 1e12]))
of_classical = given(scans(), st.sampled_from([0.0, 3.0]))


@pytest.mark.parametrize("network", ["real, adaptive", "complex"], indirect=True)
@FEW
@of_network
def test_network(network, scan, neighbour_seed, budget):
    check_network(network, scan, neighbour_seed, budget)


@FEW
@of_classical
def test_classical_methods(scan, padding):
    check_classical(scan, padding)


@pytest.mark.slow
@pytest.mark.parametrize("network", VARIANTS, indirect=True)
@MANY
@of_network
def test_network_on_many(network, scan, neighbour_seed, budget):
    check_network(network, scan, neighbour_seed, budget)


@pytest.mark.slow
@MANY
@of_classical
def test_classical_methods_on_many(scan, padding):
    check_classical(scan, padding)
