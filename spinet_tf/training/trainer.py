"""A network and its loss, in the form Keras `fit` trains."""

import keras
import tensorflow as tf

from spinet_tf.losses import LossWeights, loss_parts
from spinet_tf.training.recompute import recomputed


class Trainer(keras.Model):
    """Trains a `SpiNetQSM`; not saved itself, only its `network` is.

    Args:
        network: `SpiNetQSM`.
        loss_weights: `LossWeights`. Defaults to the authors'.
        clip_norm: float, limit of the gradient's global norm. Defaults to 1.
        recompute_denoiser: bool, whether the CNN is run again for its gradient rather
            than all it computes in all unrolls kept. Defaults to False.
    """

    def __init__(
        self,
        network,
        loss_weights=None,
        clip_norm=1.0,
        recompute_denoiser=False,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.network = network
        self.loss_weights = loss_weights or LossWeights()
        self.clip_norm = clip_norm
        self.recompute_denoiser = recompute_denoiser
        self.loss_mean = keras.metrics.Mean("loss")
        self.part_means = LossWeights(
            *(keras.metrics.Mean(f"{name}_loss") for name in LossWeights._fields)
        )
        self.built = True

    def call(self, inputs, training=False):
        return self.network(inputs, training=training)

    @property
    def metrics(self):
        return [self.loss_mean, *self.part_means]

    def losses_of(self, inputs, truth, susceptibility):
        """The loss, a scalar tensor, and its parts, `LossWeights` of such."""
        field = tf.convert_to_tensor(inputs["local_field"])
        kernel = self.network.dipole.kernel(
            tf.shape(field)[1:4], inputs["voxel_size"], inputs["b0_direction"]
        )
        unit = self.network.chi_std
        parts = loss_parts(susceptibility, truth, field, kernel, inputs["mask"], unit)
        weighted = (w * part for w, part in zip(self.loss_weights, parts, strict=True))
        return sum(weighted), parts

    def reconstruct(self, inputs):
        """What is trained: float `(batch, x, y, z, 1)` [ppm]."""
        denoiser = self.network.denoiser
        denoiser = recomputed(denoiser) if self.recompute_denoiser else denoiser
        last = self.network.reconstruct(inputs, training=True, network=denoiser)
        return last.susceptibility[..., :1]

    def train_step(self, data):
        inputs, truth = data
        with tf.GradientTape() as tape:
            susceptibility = self.reconstruct(inputs)
            loss, parts = self.losses_of(inputs, truth, susceptibility)
        variables = self.trainable_variables
        gradients = tape.gradient(loss, variables)
        # Keras would clip each replica's gradient before it adds them up, and so train
        # another network than one process does. The mean is clipped here, and what
        # `apply` adds up again are equal shares of it.
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        gradients, _ = tf.clip_by_global_norm(gradients, self.clip_norm)
        replicas = context.num_replicas_in_sync
        self.optimizer.apply([g / replicas for g in gradients], variables)
        for mean, value in zip(self.metrics, (loss, *parts), strict=True):
            mean.update_state(value)
        return self.get_metrics_result()
