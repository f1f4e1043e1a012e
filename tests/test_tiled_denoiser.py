"""The CNN in parts equals the CNN on the whole volume."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.agreement import relative_error
from spinet_tf import SpiNetQSM, denoising_plan
from spinet_tf import tiled_denoiser as module
from spinet_tf.available_memory import ALL_MEMORY
from spinet_tf.box import Box, bounding_box, whole
from spinet_tf.copies import folded
from spinet_tf.denoising_plan import choose_tiles, share_of_work
from spinet_tf.reconstruct import Reconstructor
from spinet_tf.tiled_denoiser import TiledDenoiser
from spinet_tf.tiles import make_tile, plan_tiles, smallest_n_bytes

OUTSIDE = -0.3
PAPER = {"channels": 1, "residual": True, "blocks": 1, "chi_mean": 0.009}
RELEASE = {
    "channels": 2,
    "residual": False,
    "dc_value": 1 / 3,
    "blocks": 2,
    "chi_mean": 0.009,
}
# Matrix size, and the box that the mask is in.
MASKS = {
    "interior": ((24, 21, 30), (8, 7, 9), (13, 12, 20)),
    "at three faces": ((24, 21, 30), (0, 7, 9), (5, 21, 12)),
    "near a face, flat": ((9, 8, 30), (2, 2, 25), (7, 6, 27)),
    "one voxel": ((25, 30, 22), (12, 13, 10), (13, 14, 11)),
    "everywhere": ((17, 24, 16), (0, 0, 0), (17, 24, 16)),
    "thinner than the reach": ((7, 1, 5), (1, 0, 1), (3, 1, 2)),
    "empty": ((16, 12, 13), (0, 0, 0), (0, 0, 0)),
}


def model(variant, filters=4):
    """A network whose biases matter, so that its background does."""
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    made = folded(SpiNetQSM(filters=filters, unrolls=2, **variant))
    made.denoiser.set_weights(
        [w + 0.1 * rng.standard_normal(w.shape) for w in made.denoiser.get_weights()]
    )
    return made


def masked_volume(name, channels):
    size, low, high = MASKS[name]
    rng = np.random.default_rng(0)
    mask = np.zeros(size, bool)
    box = Box(np.array(low), np.array(high))
    mask[box.slices] = rng.random(box.edges) < 0.7
    mask[tuple(low)] = mask[box.slices].size > 0
    volume = np.full((1, *size, channels), OUTSIDE, np.float32)
    volume[0][mask] = rng.standard_normal((mask.sum(), channels))
    return volume, mask


@pytest.fixture(scope="module", params=[PAPER, RELEASE], ids=["paper", "release"])
def denoiser(request):
    return model(request.param).denoiser


@pytest.fixture(scope="module")
def tiled(denoiser):
    return TiledDenoiser(denoiser, OUTSIDE)


@pytest.mark.parametrize("mask_name", MASKS)
def test_equals_the_whole_volume_in_one_tile_and_in_many(denoiser, tiled, mask_name):
    volume, mask = masked_volume(mask_name, denoiser.channels)
    expected = denoiser(volume).numpy()
    assert expected.std() > 1e-3
    for available in (1e12, 1e5, 0):
        tiles = plan_tiles(mask, denoiser.blocks, denoiser.filters, 4, available)
        result = tiled(tf.constant(volume), tiles)
        np.testing.assert_allclose(
            result, expected, atol=1e-6 * np.abs(expected).max(), rtol=0
        )


def test_one_voxel_less_around_the_mask_is_too_little(denoiser, tiled, monkeypatch):
    """The comparison above can fail."""
    volume, mask = masked_volume("interior", denoiser.channels)
    expected = denoiser(volume).numpy()
    tiles = [
        tile._replace(support=tile.support.dilated(-1))
        for tile in plan_tiles(mask, denoiser.blocks, denoiser.filters, 4, 1e12)
    ]
    result = tiled(tf.constant(volume), tiles)
    assert np.abs(result - expected).max() > 1e-4 * np.abs(expected).max()
    monkeypatch.setattr(module, "fill_background", lambda volume, *_: volume)
    tiles = plan_tiles(mask, denoiser.blocks, denoiser.filters, 4, 1e12)
    result = TiledDenoiser(denoiser, OUTSIDE)(tf.constant(volume), tiles)
    assert np.abs(result - expected).max() > 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("filters", [4, 8, 16])
def test_bfloat16(filters):
    mixed = folded(model(PAPER, filters), "bfloat16").denoiser
    volume, mask = masked_volume("at three faces", 1)
    volume = tf.cast(volume, tf.bfloat16)
    # In a graph, where the same operations are fused.
    expected = tf.function(mixed)(volume).numpy().astype(np.float32)
    tiles = plan_tiles(mask, mixed.blocks, filters, 2, 0)
    assert len(tiles) > 1
    result = TiledDenoiser(mixed, OUTSIDE)(volume, tiles).astype(np.float32)
    error = relative_error(result, expected)
    assert error < 2e-2


def test_tiles_cover_what_the_mask_reaches_once():
    mask = np.zeros((40, 30, 35), bool)
    mask[10:30, 8:14, 0:20] = True
    reached = np.zeros(mask.shape, int)
    reached[whole(mask.shape).intersection(bounding_box(mask).dilated(5)).slices] = 1
    for available in (1e12, 3e5, 1e5):
        tiles = plan_tiles(mask, 2, 4, 4, available)
        covered = np.zeros(mask.shape, int)
        for tile in tiles:
            covered[tile.frames[-1].slices] += 1
            smallest = smallest_n_bytes(mask.shape, 2, 4, 4)
            assert tile.n_bytes(4, 4) <= max(available, smallest)
        np.testing.assert_array_equal(covered, reached)
    assert len(tiles) > 4


def test_a_tile_knows_of_all_that_it_can_see():
    mask = np.random.default_rng(0).random((40, 30, 35)) < 5e-4
    points, reach = np.argwhere(mask), 5
    reached, covered = np.zeros(mask.shape, bool), np.zeros(mask.shape, bool)
    for low, high in zip(
        np.maximum(points - reach, 0), points + reach + 1, strict=True
    ):
        reached[tuple(map(slice, low, high))] = True
    for tile in plan_tiles(mask, 2, 4, 4, 0):
        answered, support = tile.frames[-1], tile.support
        covered[answered.slices] = True
        near = (points >= answered.low - reach) & (points < answered.high + reach)
        visible = points[near.all(axis=1)]
        assert (visible >= support.low).all() and (visible < support.high).all()
    assert (covered | ~reached).all()


def test_a_tile_that_sees_background_only_is_left_out():
    mask = np.zeros((60, 8, 8), bool)
    mask[[0, -1]] = True
    tiles = plan_tiles(mask, 1, 4, 4, 0)
    assert 2 <= len(tiles) < 60 // 8
    assert plan_tiles(0 * mask, 1, 4, 4, 0) == []


@pytest.mark.parametrize("variant", [PAPER, RELEASE], ids=["paper", "release"])
@pytest.mark.parametrize("size", [(24, 21, 26), (15, 32, 17)], ids=["mixed", "odd"])
def test_reconstruction_equals_that_of_the_whole_volume(variant, size, monkeypatch):
    rng = np.random.default_rng(1)
    mask = np.zeros(size, bool)
    mask[5:12, 4:9, 0:6] = rng.random((7, 5, 6)) < 0.8
    field = (0.02 * mask * rng.standard_normal(size)).astype("float32")
    scan = field, mask, (0.8, 1.0, 1.5), (0.0, 0.6, 0.8)
    network = model(variant)
    expected = Reconstructor(network, whole_volume=True)(*scan).susceptibility
    assert expected.std() > 1e-4
    reconstructor = Reconstructor(network)
    monkeypatch.setattr(denoising_plan, "WORTHWHILE", np.inf)
    for budget, several in ((1e12, False), (0, True)):
        planned = []
        monkeypatch.setattr(
            denoising_plan,
            "plan_tiles",
            lambda *a, b=budget, p=planned: p.append(plan_tiles(*a[:-1], b)) or p[-1],
        )
        result = reconstructor(*scan).susceptibility
        assert (len(planned[0]) > 1) == several
        np.testing.assert_allclose(
            result, expected, atol=2e-5 * np.abs(expected).max(), rtol=0
        )


def test_tiles_are_taken_where_they_are_less_work():
    """Large volumes with air around the mask; not small ones, nor full masks."""
    network = SpiNetQSM(filters=16, blocks=4, batch_norm=False)
    for size, margin, worthwhile in (
        ((96, 96, 96), 12, True),
        ((64, 80, 70), 10, True),
        ((64, 80, 70), 8, True),
        ((64, 80, 70), 7, False),
        ((64, 64, 64), 4, False),
        ((32, 32, 32), 4, False),
        ((96, 96, 96), 0, False),
        ((96, 96, 96), 48, True),
    ):
        mask = np.zeros(size, bool)
        mask[tuple(slice(margin, n - margin) for n in size)] = True
        tiles = choose_tiles(mask, network, "float32", ALL_MEMORY)
        assert (tiles is not None) == worthwhile
    assert tiles == []  # an empty mask


def test_share_of_work_counts_voxels():
    mask = np.zeros((40, 30, 50), bool)
    assert share_of_work(plan_tiles(mask, 2, 4, 4, 1e12), mask.shape, 2) == 0
    mask[20, 15, 25] = True
    tiles = plan_tiles(mask, 2, 4, 4, 1e12)
    # Of the first convolution and both blocks, beside a background of 2 * 5 + 1.
    edges = [np.prod(frame.edges) for frame in tiles[0].frames[:3]]
    assert edges == [9**3, 9**3, 13**3]
    expected = (11**3 + sum(edges) / 3) / mask.size
    assert share_of_work(tiles, mask.shape, 2) == pytest.approx(expected)
    full = plan_tiles(mask | True, 2, 4, 4, 1e12)
    assert share_of_work(full, mask.shape, 2) == pytest.approx(1 + 11**3 / mask.size)


def test_split_boxes_make_up_the_box():
    box = Box(np.array([3, 0, 5]), np.array([10, 4, 18]))
    count = np.zeros((12, 6, 20), int)
    for part in box.split((3, 1, 4)):
        assert part.edges.min() > 0
        count[part.slices] += 1
    assert (count[box.slices] == 1).all()
    assert count.sum() == np.prod(box.edges)
    np.testing.assert_array_equal(bounding_box(count), box)


def test_the_largest_tile_fits_too():
    budget = 1250 * 4 * 4 * 4  # 41 = 13 + 14 + 14: one of 14 sees 20 * 8 * 8 voxels
    tiles = plan_tiles(np.ones((41, 8, 8), bool), 1, 4, 4, budget)
    assert max(tile.n_bytes(4, 4) for tile in tiles) <= budget


def test_each_block_needs_less_than_the_one_before():
    core = Box(np.full(3, 40), np.full(3, 48))
    tile = make_tile(core, whole((100,) * 3), (100,) * 3, 2)
    assert [frame.edges[0] for frame in tile.frames] == [18, 16, 12, 8]
