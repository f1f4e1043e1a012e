"""The network without its physics, to see what the physics is worth."""

import keras
import tensorflow as tf

from spinet_tf.model import SpiNetQSM
from spinet_tf.problem import Unroll


@keras.saving.register_keras_serializable(package="spinet_tf")
class DenoiserOnly(SpiNetQSM):
    """One pass of the CNN over the adjoint field: chi = mask D_w(mask Phi^H y).

    Its arguments are those of `SpiNetQSM`, of which `unrolls` is to be 1; lambda and p
    are there, do nothing and are not trained.

    Raises:
        ValueError: more than one unroll.
    """

    def __init__(self, unrolls=1, **kwargs):
        if unrolls != 1:
            raise ValueError(f"unrolls must be 1. Received: {unrolls=}")
        super().__init__(unrolls=unrolls, **kwargs)
        self.data_consistency.trainable = False

    @property
    def leaves_out(self):
        """False: all of the field is taken."""
        return False

    def fit_data(self, problem, susceptibility, denoised, trust):
        samples = tf.shape(denoised)[:1]
        return Unroll(
            problem.sources * denoised,
            denoised,
            tf.ones_like(problem.mask),
            tf.zeros(samples, tf.int32),
            tf.zeros(samples, denoised.dtype),
            trust,
        )
