"""Copies of a network that compute the same in another way."""

from spinet_tf.denoiser import fold_batch_norm
from spinet_tf.model import SpiNetQSM

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
"""Dtype policies of a network; the physics is in float32 in all of them."""


def folded(model, precision=None):
    """A copy for inference: BatchNorm folded into the convolutions, no dropout.

    Args:
        model: `SpiNetQSM`.
        precision: str of `PRECISIONS`, of the copy's CNN. Defaults to None: the
            model's dtype policy.

    Returns:
        A `SpiNetQSM`.

    Raises:
        TypeError: the model is something else.
        ValueError: an unknown precision.
    """
    if not isinstance(model, SpiNetQSM):
        raise TypeError(f"expected a SpiNet-QSM model, got {type(model).__name__}")
    if precision is not None and precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {list(PRECISIONS)}. Received: {precision=}"
        )
    config = {**model.get_config(), "batch_norm": False, "dropout": 0.0}
    config["dtype"] = PRECISIONS.get(precision, model.dtype_policy)
    copy = type(model).from_config(config)
    if model.batch_norm:
        fold_batch_norm(model.denoiser, copy.denoiser)
    else:
        copy.denoiser.set_weights(model.denoiser.get_weights())
    copy.data_consistency.set_weights(model.data_consistency.get_weights())
    return copy


def with_transform(model, transform):
    """A copy that transforms in another way.

    Args:
        model: `SpiNetQSM`.
        transform: class of `spinet_tf.fourier`. It is not saved with the copy, and
            copies of the copy go without it.

    Returns:
        A `SpiNetQSM`.
    """
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    copy.dipole.transform = copy.data_consistency.transform = transform
    return copy
