"""The training loss: susceptibility, local field and edges."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from spinet_tf.dipole_operator import filter_volume


class LossWeights(NamedTuple):
    """Weights of the loss's parts; the defaults are the authors'.

    Attributes:
        susceptibility: float, of L1(chi - truth).
        field: float, of L1(mask (Phi chi - y)).
        gradient: float, of L1 of the Sobel gradients of chi - truth.
    """

    susceptibility: float = 1.0
    field: float = 0.5
    gradient: float = 0.5


def _sobel_kernels():
    """3-D Sobel kernels, `(3, 3, 3, 1, 3)`, one derivative a channel."""
    smooth, slope = np.array([1.0, 2.0, 1.0]), np.array([-1.0, 0.0, 1.0])
    kernels = [
        np.einsum("i,j,k->ijk", *(slope if i == axis else smooth for i in range(3)))
        for axis in range(3)
    ]
    return np.stack(kernels, axis=-1)[:, :, :, np.newaxis, :]


def sobel_gradients(volume):
    """Sobel derivatives along x, y and z, not normalised, zero beyond the edges.

    Args:
        volume: float `(batch, x, y, z, 1)`.

    Returns:
        float `(batch, x, y, z, 3)`.
    """
    kernels = tf.constant(_sobel_kernels(), volume.dtype)
    return tf.nn.conv3d(volume, kernels, strides=[1] * 5, padding="SAME")


def loss_parts(susceptibility, truth, local_field, kernel, mask, unit):
    """The parts of the loss, each a mean over a sample's mask, then over the batch.

    Edges reach a voxel beyond the mask: what they sum to there counts as well.

    Args:
        susceptibility: float `(batch, x, y, z, 1)` [ppm], reconstructed, masked.
        truth: like `susceptibility`, masked.
        local_field: like `susceptibility` [ppm], y.
        kernel: float `(batch, x, y, z // 2 + 1)`, half spectrum of D.
        mask: like `susceptibility`, 0 or 1.
        unit: float [ppm], what counts as an error of 1, such as the standard
            deviation of the training susceptibility.

    Returns:
        `LossWeights`-like named tuple of scalar tensors, in `unit`.
    """
    volume = (1, 2, 3, 4)
    voxels = tf.reduce_sum(mask, volume) * unit

    def mean(error):
        total = tf.reduce_sum(tf.abs(error), volume)
        return tf.reduce_mean(tf.math.divide_no_nan(total, voxels))

    error = susceptibility - truth
    misfit = mask * (filter_volume(susceptibility, kernel) - local_field)
    return LossWeights(mean(error), mean(misfit), mean(sobel_gradients(error)) / 3)
