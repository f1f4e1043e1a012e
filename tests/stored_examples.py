"""Examples as data sets store them."""

import numpy as np
import tensorflow as tf


def stored_examples(
    susceptibility, mask, white_matter, voxel_size=(1, 1, 1), **measured
):
    """A data set of arrays `(example, x, y, z)`, of one voxel size or one for each."""
    sizes = np.broadcast_to(np.float32(voxel_size), (len(mask), 3))
    measured = {name: np.float32(value) for name, value in measured.items()}
    return tf.data.Dataset.from_tensor_slices(
        {
            **measured,
            "susceptibility": np.float32(susceptibility),
            "mask": np.uint8(mask),
            "white_matter": np.uint8(white_matter),
            "voxel_size": sizes,
        }
    )
