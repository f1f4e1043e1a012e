"""What memory there is, and what is planned with it."""

from types import SimpleNamespace

import numpy as np
import pytest


def test_a_plan_knows_the_limit_and_the_precision(monkeypatch):
    from spinet_tf import SpiNetQSM, denoising_plan
    from spinet_tf.reconstruction_memory import memory_needed, whole_volume_fits
    from spinet_tf.tiles import smallest_n_bytes

    network = SpiNetQSM(filters=16, blocks=1, unrolls=1)
    mask = np.ones((40, 40, 40), bool)

    def left(n_bytes):
        return SimpleNamespace(left=lambda: n_bytes)

    for precision, value in (("float32", 4), ("bfloat16", 2)):
        # Four feature maps beside 18 volumes, in 0.8 of the memory.
        needed = 40**3 * (4 * 16 * value + 18 * 4) / 0.8
        for n_bytes, fits in ((1.001 * needed, True), (0.999 * needed, False)):
            memory = left(n_bytes)
            assert whole_volume_fits(mask.shape, network, precision, memory) == fits
            tiles = denoising_plan.choose_tiles(mask, network, precision, memory)
            assert (tiles is None) == fits
        assert len(tiles) > 1
        tiles = denoising_plan.choose_tiles(
            mask, network, precision, left(0.3 * needed)
        )
        budget = 0.8 * 0.3 * needed - 40**3 * 18 * 4
        assert max(tile.n_bytes(16, value) for tile in tiles) <= max(
            budget, smallest_n_bytes(mask.shape, 1, 16, value)
        )
    given = []
    monkeypatch.setattr(
        denoising_plan, "plan_tiles", lambda *options: given.append(options) or []
    )
    for precision in ("float32", "bfloat16"):
        denoising_plan.choose_tiles(mask, network, precision, left(10**9))
    assert [options[3] for options in given] == [4, 2]
    # A tile of 8^3 that sees 3 voxels around it.
    assert smallest_n_bytes((200, 200, 200), 1, 16, 4) == 14**3 * 4 * 16 * 4
    wide = SpiNetQSM(filters=64, blocks=4, unrolls=1)
    tile = 16**3 * 4 * 64
    assert memory_needed((16, 16, 16), wide, "float32") == 18 * 4 * 16**3 + 4 * tile
    assert memory_needed((16, 16, 16), wide, "bfloat16") == 18 * 4 * 16**3 + 2 * tile


def test_what_is_left_of_the_memory(memory):
    from spinet_tf.available_memory import Memory, check_fits_in_memory
    from spinet_tf.errors import OutOfMemory

    memory.available = 3 * 10**9
    assert Memory(10**15).left() == Memory().left() == 3 * 10**9
    assert Memory(10**15, 10**9).left() == 4 * 10**9
    assert Memory(1000).left() == 0
    check_fits_in_memory(3 * 10**9, "x")
    message = "x needs 3 GB of memory, 3 GB are available"
    with pytest.raises(OutOfMemory, match=message):
        check_fits_in_memory(3 * 10**9 + 1, "x")
