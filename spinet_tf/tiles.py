"""Which parts of a volume a CNN has to see, and how many at a time.

Where the CNN's input is the same everywhere but in a mask, its answer is the
background's farther from the mask than it reaches. What remains is cut into tiles if
it needs too much memory. A tile's answer needs the input around it, but each
convolution brings the border of what is needed one voxel closer, and that of what
differs from the background one voxel farther from the mask. What is between the two is
computed, in boxes that change from block to block.
"""

from typing import NamedTuple

import numpy as np

from spinet_tf.box import Box, bounding_box, whole

FEATURE_MAPS = 4  # three are alive at a time, one more is the convolution's scratch
SMALLEST_EDGE = 8


class Tile(NamedTuple):
    """A part of a volume, and what to compute for it.

    Attributes:
        frames: list of `Box`: of the input and the first convolution, of each
            residual block, and of the answer.
        support: `Box`, outside which the input is background as far as the tile
            can see.
    """

    frames: list
    support: Box

    def n_bytes(self, filters, bytes_per_value):
        """Memory that a CNN of this many filters needs for it."""
        voxels = max(int(np.prod(frame.edges)) for frame in self.frames)
        return voxels * FEATURE_MAPS * filters * bytes_per_value


def reach_of(blocks):
    """How many voxels away a CNN with these residual blocks looks."""
    return 1 + 2 * blocks


def make_tile(core, support, matrix_size, blocks):
    """The `Tile` that answers for one box.

    Args:
        core: `Box`, what to answer for.
        support: `Box`, outside which the input is background; not empty.
        matrix_size: three integers, of the volume.
        blocks: int, residual blocks of the CNN.

    Returns:
        A `Tile`.
    """
    volume, reach = whole(matrix_size), reach_of(blocks)
    frames = [volume.intersection(core.dilated(reach), support.dilated(4))]
    for layers in range(1, reach, 2):
        # Two convolutions more, and a voxel around them that is background.
        seen = support.dilated(layers + 3)
        frames.append(volume.intersection(core.dilated(reach - layers), seen))
    frames.append(volume.intersection(core, support.dilated(reach)))
    return Tile(frames, support)


def plan_tiles(mask, blocks, filters, bytes_per_value, available):
    """Tiles that make up all that is not background.

    Args:
        mask: `(x, y, z)`, outside which the CNN's input is the same everywhere.
        blocks: int, residual blocks of the CNN.
        filters: int, of the CNN.
        bytes_per_value: int, of its feature maps.
        available: bytes for the feature maps of one tile. What is no longer than
            `SMALLEST_EDGE` is not cut, whatever it is.

    Returns:
        A list of `Tile`; empty for an empty mask.
    """
    support = bounding_box(mask)
    if not support.edges.all():
        return []
    reach = reach_of(blocks)
    region = whole(mask.shape).intersection(support.dilated(reach))
    counts = np.ones(3, int)
    while True:
        largest = -(-region.edges // counts)
        middle = (region.low + region.high - largest) // 2
        tile = make_tile(Box(middle, middle + largest), support, mask.shape, blocks)
        axis = np.argmax(largest)
        fits = tile.n_bytes(filters, bytes_per_value) <= available
        if fits or largest[axis] <= SMALLEST_EDGE:
            break
        counts[axis] += 1
    tiles = []
    for core in region.split(counts):
        seen = whole(mask.shape).intersection(core.dilated(reach))
        inside = bounding_box(mask[seen.slices])
        if inside.edges.all():
            inside = Box(inside.low + seen.low, inside.high + seen.low)
            tiles.append(make_tile(core, inside, mask.shape, blocks))
    return tiles


def smallest_n_bytes(matrix_size, blocks, filters, bytes_per_value):
    """Memory that the CNN needs for the smallest tile there can be of a volume."""
    edges = np.minimum(matrix_size, SMALLEST_EDGE)
    low = (np.array(matrix_size) - edges) // 2
    tile = make_tile(Box(low, low + edges), whole(matrix_size), matrix_size, blocks)
    return tile.n_bytes(filters, bytes_per_value)
