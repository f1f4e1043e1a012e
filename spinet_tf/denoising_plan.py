"""Whether the CNN runs on the whole volume, or where the mask can change its answer."""

import numpy as np

from spinet_tf.reconstruction_memory import (
    feature_map_budget,
    value_bytes,
    whole_volume_fits,
)
from spinet_tf.tiles import plan_tiles, reach_of

WORTHWHILE = 0.9
"""Share of the whole volume's work above which nothing is gained. Measured."""


def choose_tiles(mask, model, precision, memory):
    """Tiles for the CNN, if they are less work, or all that fits in memory.

    Args:
        mask: bool `(x, y, z)`, outside which the CNN's input is the same everywhere.
        model: `SpiNetQSM`.
        precision: "float32" or "bfloat16".
        memory: `Memory`, what may be taken.

    Returns:
        A list of `spinet_tf.tiles.Tile`, empty for an empty mask; None for the whole
        volume at once.
    """
    tiles = plan_tiles(
        mask,
        model.blocks,
        model.filters,
        value_bytes(precision),
        feature_map_budget(mask.shape, memory),
    )
    if share_of_work(tiles, mask.shape, model.blocks) <= WORTHWHILE:
        return tiles
    fits = whole_volume_fits(mask.shape, model, precision, memory)
    return None if fits else tiles


def share_of_work(tiles, matrix_size, blocks):
    """What the CNN computes in tiles, relative to the whole volume.

    Args:
        tiles: list of `spinet_tf.tiles.Tile`.
        matrix_size: three integers, of the volume.
        blocks: int, residual blocks of the CNN.

    Returns:
        A float, in voxels a convolution.
    """
    background = np.prod(np.minimum(matrix_size, 2 * reach_of(blocks) + 1))
    voxels = [
        background + np.mean([np.prod(frame.edges) for frame in tile.frames[:-1]])
        for tile in tiles
    ]
    return float(sum(voxels) / np.prod(matrix_size))
