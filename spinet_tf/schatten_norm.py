"""The learned penalty lambda ||chi - z||_p^p, as weights of a quadratic one."""

import math

import keras
import tensorflow as tf

SMALLEST_P = 1e-3
TYPICAL_DIFFERENCE = 0.01  # [ppm]


@keras.saving.register_keras_serializable(package="spinet_tf")
class SchattenNorm(keras.layers.Layer):
    """Owns lambda and p, and replaces |d|^p by W^2 d^2, d = chi - z.

    p = 2 exp(-p_decay) with p_decay >= 0 lies in (0, 2]; p = 2 is reached at
    p_decay = 0 and left again, since the gradient there is not zero.
    W^2 = (|d|^2 + epsilon^2)^(p/2 - 1) stays finite where chi = z.

    What is trained beside p is not lambda itself but the logarithm of lambda W^2 at a
    typical difference, 0.01 ppm. With lambda as the variable, a p of 1.5 in place of
    2 would raise the weight of z tenfold, and p would be held at 2 by a lambda that
    cannot follow it.

    Args:
        initial_lambda: float > 0. Defaults to 0.5, as in the release.
        initial_p: float, `SMALLEST_P` <= p <= 2. Defaults to 2.
        learn_p: bool, whether p is trained. Defaults to True.
        epsilon: float > 0 [ppm], the difference under which the penalty is taken as
            quadratic. Defaults to 1e-5.

    Call arguments:
        difference: float `(batch, x, y, z, channel)`, chi - z [ppm], or G (chi - z); a
            complex difference is two channels.

    Returns:
        W^2, float `(batch, x, y, z, 1)`.

    Raises:
        ValueError: lambda, p or epsilon outside its range.

    Reference:
        Venkatesh et al., MAGMA 2024, doi 10.1007/s10334-024-01158-7.
    """

    def __init__(
        self, initial_lambda=0.5, initial_p=2.0, learn_p=True, epsilon=1e-5, **kwargs
    ):
        super().__init__(autocast=False, **kwargs)
        if not initial_lambda > 0:
            raise ValueError(
                f"lambda must be positive. Received: initial_lambda={initial_lambda}"
            )
        if not SMALLEST_P <= initial_p <= 2:
            raise ValueError(
                f"p must lie in [{SMALLEST_P}, 2]. Received: initial_p={initial_p}"
            )
        if not epsilon > 0:
            raise ValueError(f"epsilon must be positive. Received: epsilon={epsilon}")
        self.initial_lambda = initial_lambda
        self.initial_p = initial_p
        self.learn_p = learn_p
        self.epsilon = epsilon
        self.build()

    def build(self, input_shape=None):
        log_weight = math.log(self.initial_lambda)
        log_weight += (self.initial_p - 2) * math.log(TYPICAL_DIFFERENCE)
        self.log_weight = self.add_weight(
            name="log_weight",
            shape=(),
            initializer=keras.initializers.Constant(log_weight),
        )
        self.p_decay = self.add_weight(
            name="p_decay",
            shape=(),
            initializer=keras.initializers.Constant(math.log(2 / self.initial_p)),
            constraint=keras.constraints.NonNeg(),
            trainable=self.learn_p,
        )
        self.built = True

    @property
    def lambda_(self):
        """Weight of the penalty, a scalar tensor > 0."""
        log_weight = tf.convert_to_tensor(self.log_weight)
        return tf.exp(log_weight + (2 - self.p) * math.log(TYPICAL_DIFFERENCE))

    @property
    def p(self):
        """Exponent of the penalty, a scalar tensor in [`SMALLEST_P`, 2]."""
        decay = tf.convert_to_tensor(self.p_decay)
        return 2 * tf.exp(-tf.clip_by_value(decay, 0, math.log(2 / SMALLEST_P)))

    def call(self, difference):
        squared = tf.reduce_sum(tf.square(difference), axis=-1, keepdims=True)
        # `tf.pow` takes five times as long.
        power = tf.cast(self.p / 2 - 1, squared.dtype)
        return tf.exp(power * tf.math.log(squared + self.epsilon**2))

    def get_config(self):
        return {
            **super().get_config(),
            "initial_lambda": self.initial_lambda,
            "initial_p": self.initial_p,
            "learn_p": self.learn_p,
            "epsilon": self.epsilon,
        }
