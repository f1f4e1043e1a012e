"""The authors' published PyTorch checkpoint, as a Keras model.

The checkpoint is not part of this package. PyTorch is needed to read it and nowhere
else: `pip install "spinet-tf[convert]"`.
"""

import os
import warnings

import numpy as np

from spinet_tf.errors import InputError
from spinet_tf.matlab import read_number
from spinet_tf.model import SpiNetQSM
from spinet_tf.schatten_norm import SMALLEST_P

FILTERS = 32
BLOCKS = 8
CHANNELS = 2
SMALLEST_LAMBDA = np.finfo(np.float32).tiny  # less would become 0


def expected_tensors():
    """Names and shapes of the tensors in the published checkpoint.

    Returns:
        dict of name to shape.
    """
    shapes = {
        "lambda_val": (1,),
        "p": (1,),
        "gen.0.weight": (FILTERS, CHANNELS, 3, 3, 3),
        "gen.3.weight": (FILTERS, FILTERS, 1, 1, 1),
        "gen.5.weight": (FILTERS, FILTERS, 1, 1, 1),
        "gen.7.weight": (CHANNELS, FILTERS, 1, 1, 1),
    }
    for block in range(BLOCKS):
        for i in (1, 2):
            prefix = f"gen.2.{block}."
            shapes[f"{prefix}conv{i}.weight"] = (FILTERS, FILTERS, 3, 3, 3)
            for name in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{prefix}bn{i}.{name}"] = (FILTERS,)
    return shapes


def _read_checkpoint(path):
    """Tensors of the checkpoint as numpy arrays, each checked for its shape."""
    try:
        import torch
    except ImportError as error:
        raise InputError(
            "reading a PyTorch checkpoint needs PyTorch: "
            'pip install "spinet-tf[convert]"'
        ) from error
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is wrong is told below
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; all mean the same here
        raise InputError(
            f"{path}: not a PyTorch checkpoint of plain tensors "
            f"({type(error).__name__})"
        ) from error
    if not isinstance(state, dict):
        raise InputError(
            f"{path}: expected a dict of tensors, found {type(state).__name__}"
        )

    expected = expected_tensors()
    missing = sorted(name for name in expected if name not in state)
    if missing:
        raise InputError(
            f"{path}: not the published SpiNet-QSM checkpoint; "
            f"missing tensors: {_listed(missing)}"
        )
    strange = [name for name in expected if not _is_plain(state[name])]
    if strange:
        raise InputError(
            f"{path}: not the published SpiNet-QSM checkpoint; "
            f"not plain tensors of real numbers: {_listed(strange)}"
        )
    misshapen = [
        f"{name} {tuple(state[name].shape)} instead of {shape}"
        for name, shape in expected.items()
        if tuple(state[name].shape) != shape
    ]
    if misshapen:
        raise InputError(
            f"{path}: not the published SpiNet-QSM checkpoint; "
            f"misshapen tensors: {_listed(misshapen)}"
        )
    tensors = {name: state[name].float().numpy() for name in expected}
    broken = [name for name, value in tensors.items() if not np.isfinite(value).all()]
    if broken:
        raise InputError(f"{path}: NaN or infinity in tensors: {_listed(broken)}")
    lambda_, p = (tensors[name].item() for name in ("lambda_val", "p"))
    if not lambda_ >= SMALLEST_LAMBDA or not SMALLEST_P <= p <= 2:
        raise InputError(
            f"{path}: expected lambda_val >= {SMALLEST_LAMBDA:.2g} and "
            f"{SMALLEST_P:g} <= p <= 2, found "
            f"{lambda_:g} and {p:g}"
        )
    variances = [name for name in tensors if name.endswith("running_var")]
    negative = [name for name in variances if (tensors[name] < 0).any()]
    if negative:
        raise InputError(f"{path}: negative variances in tensors: {_listed(negative)}")
    return tensors


def _is_plain(value):
    import torch

    return (
        isinstance(value, torch.Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and value.is_floating_point()
        and not value.is_nested
    )


def _listed(names, most=4):
    """The first names and how many more there are, on one line."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _read_statistics(path):
    """Mean and standard deviation of the training susceptibility [ppm]."""
    mean, std = (read_number(path, name) for name in ("out_mean", "out_std"))
    if not std > 0:
        raise InputError(f"{path}: expected out_std > 0, found {std:g}")
    return mean, std


def _kernel(weight):
    """PyTorch's (out, in, x, y, z) to Keras's (x, y, z, in, out)."""
    return np.transpose(weight, (2, 3, 4, 1, 0))


def convert_release(checkpoint, statistics):
    """Build the released network from the authors' files.

    Args:
        checkpoint: path of `model_weights.pth`; read with `weights_only=True`.
        statistics: path of `tr-stats.mat`.

    Returns:
        `SpiNetQSM`, the released variant: two channels, z = N_w(chi), D(0) = 1/3.

    Raises:
        InputError: a file that cannot be read or is not theirs, naming the missing or
            misshapen tensors.

    Reference:
        Venkatesh et al., MAGMA 2024, doi 10.1007/s10334-024-01158-7.
    """
    tensors = _read_checkpoint(checkpoint)
    mean, std = _read_statistics(statistics)
    model = SpiNetQSM(
        channels=CHANNELS,
        residual=False,
        filters=FILTERS,
        blocks=BLOCKS,
        chi_mean=mean,
        chi_std=std,
        initial_lambda=tensors["lambda_val"].item(),
        initial_p=tensors["p"].item(),
        dc_value=1 / 3,
        # By its residual the default stops where the result in vivo is 3e-4 off.
        tolerance=5e-5,
        dtype="float32",
    )
    denoiser = model.denoiser
    for layer, name in (
        (denoiser.entry, "gen.0"),
        (denoiser.head_1, "gen.3"),
        (denoiser.head_2, "gen.5"),
        (denoiser.exit, "gen.7"),
    ):
        layer.kernel.assign(_kernel(tensors[f"{name}.weight"]))
    for i, block in enumerate(denoiser.residual_blocks):
        for j, (conv, norm) in enumerate(
            ((block.conv_1, block.norm_1), (block.conv_2, block.norm_2)), start=1
        ):
            prefix = f"gen.2.{i}."
            conv.kernel.assign(_kernel(tensors[f"{prefix}conv{j}.weight"]))
            for variable, name in (
                (norm.gamma, "weight"),
                (norm.beta, "bias"),
                (norm.moving_mean, "running_mean"),
                (norm.moving_variance, "running_var"),
            ):
                variable.assign(tensors[f"{prefix}bn{j}.{name}"])
    return model
