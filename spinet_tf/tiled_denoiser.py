"""The denoiser for one volume with a mask: only where it makes a difference."""

import numpy as np
import tensorflow as tf

from spinet_tf.background import background_in, background_size, fill_background
from spinet_tf.box import whole
from spinet_tf.tiles import make_tile, reach_of


class TiledDenoiser:
    """Computes what a `Denoiser` does on a volume that is constant outside a mask.

    The answer is the same but for rounding; see `spinet_tf.tiles` for why.

    Args:
        denoiser: `Denoiser` with `batch_norm=False`.
        outside: float, the input outside the mask.
    """

    def __init__(self, denoiser, outside):
        self.denoiser = denoiser
        self.outside = outside
        self.reach = reach_of(denoiser.blocks)
        volume = (1, None, None, None, denoiser.channels)
        self._run_tile = tf.function(
            self._run_tile,
            autograph=False,
            input_signature=[
                tf.TensorSpec(volume, denoiser.compute_dtype),
                tf.TensorSpec((denoiser.blocks + 2, 2, 3), tf.int32),
                tf.TensorSpec((2, 3), tf.int32),
                tf.TensorSpec((3,), tf.int32),
            ],
        )

    def __call__(self, inputs, tiles, training=False):
        """Denoise one volume.

        Args:
            inputs: `(1, x, y, z, channels)`, normalised, in the compute dtype.
            tiles: list of `Tile`, from `spinet_tf.tiles.plan_tiles`.
            training: False.

        Returns:
            Array like `inputs`.
        """
        volume = whole(inputs.shape[1:4])
        if not tiles:
            edges = np.minimum(volume.high, 1)
            nothing = volume._replace(high=edges)
            tiles = [make_tile(nothing, nothing, volume.high, self.denoiser.blocks)]
        result = None
        for tile in tiles:
            answer, background = self._run_tile(
                inputs[(0, *tile.frames[0].slices)][tf.newaxis],
                np.array(tile.frames, np.int32),
                np.array(tile.support, np.int32),
                volume.high.astype(np.int32),
            )
            if result is None:
                everywhere = np.array(volume, np.int32)
                result = background_in(everywhere, background, everywhere[1]).numpy()
            result[(0, *tile.frames[-1].slices)] = answer[0].numpy()
        return result

    def _run_tile(self, x, frames, support, matrix_size):
        """The answer in a tile's last frame, and the background's."""
        size = background_size(matrix_size, self.reach)
        shape = tf.concat([[1], size, [self.denoiser.channels]], axis=0)
        background = tf.fill(shape, tf.cast(self.outside, x.dtype))
        background = tf.ensure_shape(background, x.shape)

        def differs(layers):
            return support + [[-layers] * 3, [layers] * 3]

        net = self.denoiser
        x, background = net.entry(x), net.entry(background)
        for k, block in enumerate(net.residual_blocks):
            frame, layers = frames[k + 1], 2 * k + 1
            x = _reframe(x, frames[k], frame)
            x = fill_background(x, frame, differs(layers), background, matrix_size)
            inner, inner_background = block.conv_1(x), block.conv_1(background)
            inner = fill_background(
                inner, frame, differs(layers + 1), inner_background, matrix_size
            )
            x = tf.nn.relu(block.conv_2(inner) + x)
            background = tf.nn.relu(block.conv_2(inner_background) + background)
        x = _reframe(x, frames[-2], frames[-1])
        return tuple(net.exit(net.head_2(net.head_1(v))) for v in (x, background))


def _reframe(volume, old, new):
    """What is in the box `old` in the box `new`, with zeros where it has nothing."""
    shape = volume.shape
    low, high = tf.maximum(old[0], new[0]), tf.minimum(old[1], new[1])
    begin = tf.concat([[0], low - old[0], [0]], axis=0)
    common = tf.slice(volume, begin, tf.concat([[1], high - low, [shape[-1]]], axis=0))
    around = tf.stack([low - new[0], new[1] - high], axis=1)
    return tf.ensure_shape(tf.pad(common, tf.pad(around, ((1, 1), (0, 0)))), shape)
