"""A network and its loss, in the form Keras `fit` trains."""

import keras
import tensorflow as tf

from spinet_tf.losses import LossWeights, loss_parts


class Trainer(keras.Model):
    """Trains a `SpiNetQSM`; not saved itself, only its `network` is.

    Args:
        network: `SpiNetQSM`.
        loss_weights: `LossWeights`. Defaults to the authors'.
    """

    def __init__(self, network, loss_weights=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.network = network
        self.loss_weights = loss_weights or LossWeights()
        self.part_means = LossWeights(
            *(keras.metrics.Mean(f"{name}_loss") for name in LossWeights._fields)
        )
        self.built = True

    def call(self, inputs, training=False):
        return self.network(inputs, training=training)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        field = tf.convert_to_tensor(x["local_field"])
        kernel = self.network.dipole.kernel(
            tf.shape(field)[1:4], x["voxel_size"], x["b0_direction"]
        )
        parts = loss_parts(y_pred, y, field, kernel, x["mask"], self.network.chi_std)
        for mean, part in zip(self.part_means, parts, strict=True):
            mean.update_state(part)
        return sum(w * part for w, part in zip(self.loss_weights, parts, strict=True))

    def get_compile_config(self):
        """Nothing: the loss is the trainer's own, only the network is saved."""
        return {}
