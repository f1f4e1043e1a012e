"""Memory: what a reconstruction asks for, and tiles where that is too much."""

import itertools
import types
import weakref

import numpy as np
import pytest

from spinet_tf import SpiNetQSM, reconstruct
from spinet_tf.available_memory import Memory
from spinet_tf.copies import folded
from spinet_tf.errors import InputError
from spinet_tf.reconstruct import Reconstructor
from spinet_tf.reconstruction_memory import (
    check_memory,
    feature_map_budget,
    memory_needed,
)
from spinet_tf.tiles import plan_tiles, smallest_n_bytes


class _ProcessOf:
    def __init__(self, rss):
        self.rss = rss

    def memory_info(self):
        return self

    def give_back(self, n_bytes):
        self.rss -= n_bytes


def small_network():
    return folded(SpiNetQSM(filters=4, blocks=1, unrolls=2))


def test_limit_makes_tiles_smaller_and_is_refused_only_below_the_smallest(monkeypatch):
    monkeypatch.setattr("psutil.Process", lambda: _ProcessOf(10**8))
    network = small_network()
    size = (200, 200, 200)
    needed = memory_needed(size, network, "float32")
    assert needed >= smallest_n_bytes(size, 1, 4, 4)
    check_memory(size, network, "float32", Memory(10**8 + needed))
    with pytest.raises(InputError, match="0 GB are available of the limit of 0.05 GB"):
        check_memory(size, network, "float32", Memory(5 * 10**7))
    with pytest.raises(InputError, match="200 x 200 x 200"):
        check_memory(size, network, "float32", Memory(10**8 + needed - 1))


def test_memory_kept_from_one_volume_is_there_for_the_next(monkeypatch):
    process = _ProcessOf(10**8)
    monkeypatch.setattr("psutil.Process", lambda: process)
    network = small_network()
    size = (24, 24, 24)
    reconstructor = Reconstructor(
        network, memory_limit=10**8 + memory_needed(size, network, "float32")
    )
    prepare = reconstructor._prepare

    def reconstruct(kept, needed):
        """What is kept stays, what is needed is given back when it is used no more."""

        def taking(inputs):
            problem = prepare(inputs)
            process.rss += kept + needed
            weakref.finalize(problem.kernel, process.give_back, needed)
            return problem

        reconstructor._prepare = taking
        mask = np.ones(size)
        return reconstructor(0.01 * mask, mask, (1, 1, 1), (0, 0, 1))

    first = reconstruct(10**7, 10**6)
    assert process.rss == 10**8 + 10**7
    held = sum(unroll.susceptibility.nbytes for unroll in first.unrolls)
    with pytest.raises(InputError, match="of the limit"):
        reconstruct(0, 0)  # the result of the first is there as well
    process.rss -= held
    for _ in range(3):
        reconstruct(0, 10**6)
        process.rss -= held
    process.rss += 4 * held + 1  # of others
    with pytest.raises(InputError, match="of the limit"):
        reconstruct(0, 0)


def test_memory_that_was_given_back_is_not_counted(monkeypatch):
    process = _ProcessOf(10**8)
    monkeypatch.setattr("psutil.Process", lambda: process)
    reconstructor = Reconstructor(small_network())
    prepare = reconstructor._prepare

    def taking(inputs):
        process.rss += 10**7
        return prepare(inputs)

    reconstructor._prepare = taking
    mask = np.ones((8, 8, 8))
    scan = 0.01 * mask, mask, (1, 1, 1), (0, 0, 1)
    with pytest.raises(InputError, match="not finite"):
        reconstructor(1e38 * mask, *scan[1:])
    process.rss -= 4 * 10**6
    reconstructor(*scan)
    assert reconstructor.memory.reusable == 6 * 10**6


def test_tile_memory_grows_with_what_is_available():
    mask = np.ones((64, 64, 64), bool)
    budgets = (0, 1e6, 5e6, 2e7, 1e9)
    counts = [len(plan_tiles(mask, 2, 8, 4, budget)) for budget in budgets]
    assert all(a > b for a, b in itertools.pairwise(counts))
    assert counts[-1] == 1


def test_tiles_are_taken_where_the_whole_volume_does_not_fit(memory):
    size = (40, 36, 44)
    mask = np.ones(size, bool)
    field = 0.02 * mask * np.random.default_rng(0).standard_normal(size)
    scan = field.astype("float32"), mask, (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)
    network = SpiNetQSM(unrolls=2, filters=16, blocks=1, batch_norm=False)
    needed = memory_needed(size, network, "float32")
    results = []
    for available, tiled in ((100 * needed, False), (1.05 * needed, True)):
        memory.available = int(available)
        reconstructor = Reconstructor(network)
        results.append(reconstructor(*scan).susceptibility)
        tiles = reconstructor._tiled._run_tile.experimental_get_tracing_count()
        assert (tiles > 0) == tiled
    np.testing.assert_allclose(
        results[1], results[0], rtol=0, atol=1e-5 * np.abs(results[0]).max()
    )


def test_feature_maps_get_what_the_solve_leaves():
    left = types.SimpleNamespace(left=lambda: 10**10)
    budget = feature_map_budget((100, 100, 100), left)
    assert budget == pytest.approx(0.8 * 10**10 - 18 * 4 * 10**6)
    assert memory_needed((100, 100, 100), small_network(), "float32") == 42 * 4 * 10**6


def test_channels_and_many_unrolls_take_memory():
    def volumes(**options):
        network = SpiNetQSM(filters=4, blocks=1, **options)
        return memory_needed((100, 100, 100), network, "float32") / (4 * 10**6)

    assert (volumes(unrolls=3), volumes(unrolls=20)) == (42, 59)
    assert (volumes(channels=2), volumes(channels=2, unrolls=5)) == (60, 62)


def test_a_memory_limit_and_the_precision_make_the_tiles(monkeypatch):
    monkeypatch.setattr("psutil.Process", lambda: _ProcessOf(10**8))
    planned = []
    monkeypatch.setattr(
        reconstruct, "choose_tiles", lambda mask, *given: planned.append(given)
    )
    mask = np.ones((8, 8, 8))
    for precision in ("float32", "bfloat16"):
        network = Reconstructor(small_network(), precision, memory_limit=10**9)
        network(0.01 * mask, mask, (1, 1, 1), (0, 0, 1))
        (planned_for,) = planned
        assert planned_for == (network.model, precision, Memory(10**9, 0))
        planned.clear()


def test_memory_that_less_than_nothing_is_kept_of(monkeypatch):
    """As when a volume gives back what was there before it."""
    process = _ProcessOf(10**8)
    monkeypatch.setattr("psutil.Process", lambda: process)
    reconstructor = Reconstructor(small_network())
    mask = np.ones((8, 8, 8))
    scan = 0.01 * mask, mask, (1, 1, 1), (0, 0, 1)
    reconstructor(*scan)
    process.give_back(4 * 10**6)
    reconstructor(*scan)
    assert reconstructor.memory.reusable == 0


def test_what_fits_in_half_the_precision_is_not_refused():
    network, size = SpiNetQSM(filters=64, blocks=4, unrolls=1), (16, 16, 16)
    needed = memory_needed(size, network, "bfloat16")
    left = types.SimpleNamespace(left=lambda: needed, limit=None)
    check_memory(size, network, "bfloat16", left)
    with pytest.raises(InputError, match="float32 needs"):
        check_memory(size, network, "float32", left)
