"""The CNN denoiser: a 3-D wide residual network. No physics here."""

import keras
import tensorflow as tf


@tf.custom_gradient
def add_bias(features, bias):
    """`tf.nn.bias_add`, with a gradient that adds up in float32.

    TensorFlow's adds bfloat16 up in bfloat16: of a volume of 40^3 the sum can be 40%
    off, and takes one core and four times as long.

    Args:
        features: float `(..., filters)`.
        bias: float `(filters,)`.

    Returns:
        Like `features`.
    """

    def gradient(upstream):
        # Which adds bfloat16 up in float32.
        return upstream, tf.reduce_sum(upstream, range(upstream.shape.rank - 1))

    return tf.nn.bias_add(features, bias), gradient


@keras.saving.register_keras_serializable(package="spinet_tf")
class Convolution(keras.layers.Conv3D):
    """Conv3D, bias and ReLU in a form that oneDNN runs as one kernel.

    Keras adds a bias by a reshaped broadcast; `tf.nn.bias_add` is what is fused.
    """

    def call(self, inputs):
        result = self.convolution_op(inputs, self.kernel)
        if self.use_bias:
            result = add_bias(result, tf.convert_to_tensor(self.bias))
        return self.activation(result)


@keras.saving.register_keras_serializable(package="spinet_tf")
class ResidualBlock(keras.layers.Layer):
    """Conv, BatchNorm, ReLU, Dropout, Conv, BatchNorm, + input, ReLU.

    Args:
        filters: int.
        dropout: float in [0, 1), rate. Defaults to 0.
        batch_norm: bool; without it every convolution has a bias, which is the form
            a trained network is folded to. Defaults to True.

    Call arguments:
        inputs: float `(batch, x, y, z, filters)`.

    Returns:
        Like `inputs`.

    Reference:
        Zagoruyko and Komodakis, BMVC 2016, doi 10.5244/C.30.87.
    """

    def __init__(self, filters, dropout=0.0, batch_norm=True, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.dropout = dropout
        self.batch_norm = batch_norm
        options = {
            "padding": "same",
            "data_format": "channels_last",
            "use_bias": not batch_norm,
            "kernel_initializer": "he_normal",
            "dtype": self.dtype_policy,
        }
        first_activation = None if batch_norm else "relu"
        self.conv_1 = Convolution(filters, 3, activation=first_activation, **options)
        self.conv_2 = Convolution(filters, 3, **options)
        if batch_norm:
            self.norm_1, self.norm_2 = (
                keras.layers.BatchNormalization(
                    momentum=0.9,
                    epsilon=1e-5,
                    synchronized=True,
                    dtype=self.dtype_policy,
                )
                for _ in range(2)
            )
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape):
        for layer in (self.conv_1, self.conv_2):
            layer.build(input_shape)
        if self.batch_norm:
            self.norm_1.build(input_shape)
            self.norm_2.build(input_shape)
        self.built = True

    def call(self, inputs, training=False):
        x = self.conv_1(inputs)
        if self.batch_norm:
            x = tf.nn.relu(self.norm_1(x, training=training))
        x = self.conv_2(self.drop(x, training=training))
        if self.batch_norm:
            x = self.norm_2(x, training=training)
        return tf.nn.relu(x + inputs)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "dropout": self.dropout,
            "batch_norm": self.batch_norm,
        }


@keras.saving.register_keras_serializable(package="spinet_tf")
class Denoiser(keras.layers.Layer):
    """WideResNet: Conv 3^3 and ReLU, residual blocks, three Conv 1^3.

    Args:
        channels: int, of input and output. Defaults to 1.
        filters: int. Defaults to 32.
        blocks: int. Defaults to 8.
        dropout: float in [0, 1). Defaults to 0.
        batch_norm: bool, see `ResidualBlock`. Defaults to True.

    Call arguments:
        inputs: float `(batch, x, y, z, channels)`, normalised.

    Returns:
        Like `inputs`, in the layer's compute dtype.
    """

    def __init__(
        self,
        channels=1,
        filters=32,
        blocks=8,
        dropout=0.0,
        batch_norm=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.channels = channels
        self.filters = filters
        self.blocks = blocks
        self.dropout = dropout
        self.batch_norm = batch_norm
        policy = self.dtype_policy

        def convolution(filters, size, activation="relu", initializer="he_normal"):
            return Convolution(
                filters,
                size,
                activation=activation,
                padding="same",
                data_format="channels_last",
                use_bias=not batch_norm,
                kernel_initializer=initializer,
                dtype=policy,
            )

        self.entry = convolution(filters, 3)
        self.residual_blocks = [
            ResidualBlock(filters, dropout, batch_norm, dtype=policy)
            for _ in range(blocks)
        ]
        self.head_1 = convolution(filters, 1)
        self.head_2 = convolution(filters, 1)
        # A small answer to begin with: residual training starts at the identity.
        small = keras.initializers.VarianceScaling(0.01)
        self.exit = convolution(channels, 1, None, small)

    def build(self, input_shape=None):
        features = (None, None, None, None, self.filters)
        self.entry.build((*features[:-1], self.channels))
        for layer in (*self.residual_blocks, self.head_1, self.head_2, self.exit):
            layer.build(features)
        self.built = True

    @property
    def convolutions(self):
        """All `Convolution` layers, in the order in which they are run."""
        blocks = self.residual_blocks
        pairs = [layer for block in blocks for layer in (block.conv_1, block.conv_2)]
        return [self.entry, *pairs, self.head_1, self.head_2, self.exit]

    def call(self, inputs, training=False):
        x = self.entry(inputs)
        for block in self.residual_blocks:
            x = block(x, training=training)
        return self.exit(self.head_2(self.head_1(x)))

    def get_config(self):
        return {
            **super().get_config(),
            "channels": self.channels,
            "filters": self.filters,
            "blocks": self.blocks,
            "dropout": self.dropout,
            "batch_norm": self.batch_norm,
        }


def fold_batch_norm(source, target):
    """Copy a trained denoiser into one without BatchNorm, for inference.

    Each normalisation becomes a scale of the kernel before it and a bias.

    Args:
        source: `Denoiser` with `batch_norm=True`, built.
        target: `Denoiser` of the same size with `batch_norm=False`, built.
    """
    for name in ("entry", "head_1", "head_2", "exit"):
        getattr(target, name).kernel.assign(getattr(source, name).kernel)
    for trained, folded in zip(
        source.residual_blocks, target.residual_blocks, strict=True
    ):
        for conv, norm, result in (
            (trained.conv_1, trained.norm_1, folded.conv_1),
            (trained.conv_2, trained.norm_2, folded.conv_2),
        ):
            deviation = keras.ops.sqrt(norm.moving_variance + norm.epsilon)
            scale = norm.gamma / deviation
            result.kernel.assign(conv.kernel * scale)
            result.bias.assign(norm.beta - norm.moving_mean * scale)
