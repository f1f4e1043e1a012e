"""Gradients that take less memory and more time.

`tf.recompute_grad` calls a layer again as it is: BatchNorm's statistics move twice and
Dropout draws another mask. Here the layer is called as a function of its variables'
values, which has no such effects.
"""

import tensorflow as tf


def recomputed(layer):
    """A layer that keeps its input only, and is run again for its gradient.

    Args:
        layer: `keras.Layer` of one input and one output, built.

    Returns:
        Callable of the input and `training` that does what the layer does.
    """

    def call(inputs, training=False):
        state = [tf.convert_to_tensor(v) for v in layer.non_trainable_variables]

        @tf.custom_gradient
        def differentiable(inputs, *weights):
            def gradient(upstream, *_):
                # Otherwise it is run, or found to have been run, in the forward pass.
                with tf.control_dependencies([upstream]):
                    again = tf.identity(inputs)
                with tf.GradientTape() as tape:
                    tape.watch([again, *weights])
                    result, _ = layer.stateless_call(
                        weights, state, again, training=training
                    )
                return tape.gradient(result, [again, *weights], upstream)

            return layer.stateless_call(
                weights, state, inputs, training=training
            ), gradient

        weights = [tf.convert_to_tensor(v) for v in layer.trainable_variables]
        result, changed = differentiable(inputs, *weights)
        for variable, value in zip(layer.non_trainable_variables, changed, strict=True):
            variable.assign(value)
        return result

    return call
