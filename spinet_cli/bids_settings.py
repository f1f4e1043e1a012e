"""The settings a map was made with, against those that are asked for now."""

import contextlib
from pathlib import Path

import numpy as np

from spinet_tf.pretrained import PRETRAINED


def other_settings(scan, arguments, sidecar):
    """What was set otherwise for a map that is done.

    A model is known by its name. Of a scan that can be reconstructed no more, such as
    one without a mask, what the flags alone say counts.

    Args:
        scan: `PlannedScan`.
        arguments: the parsed flags.
        sidecar: dict, that of the map.

    Returns:
        list of str, for example "Method tkd, not spinet".
    """
    wanted = _wanted_of_all(arguments)
    if scan.task is not None:
        wanted |= _wanted_of_scan(scan.task, sidecar)
    return [
        f"{key} {_text(sidecar.get(key))}, not {_text(value)}"
        for key, value in wanted.items()
        if sidecar.get(key) != value
    ]


def _wanted_of_all(arguments):
    """What every map's sidecar would say, by the names of its keys."""
    wanted = {
        "Method": arguments.method,
        "Model": _model_name(arguments),
        "Padding": arguments.pad,
        "Reference": arguments.reference,
        "MaskThreshold": arguments.mask_threshold,
    }
    if arguments.method == "spinet" and not (arguments.server or arguments.saved_model):
        wanted["Precision"] = arguments.precision
    return wanted


def _wanted_of_scan(task, sidecar):
    """What the sidecar of this map would say besides."""
    wanted = {
        "Sources": task.bids["Sources"],
        "FieldUnits": task.units.units,
        "MagneticFieldStrength": task.units.b0,
        "EchoTime": task.units.te,
    }
    if task.b0_direction is not None:
        wanted["B0Direction"] = _same_direction(sidecar, task.b0_direction)
    # Without a voxel size, or with none that makes sense, nothing can be said.
    with contextlib.suppress(KeyError, TypeError, ValueError, ArithmeticError):
        wanted["VoxelParts"] = task.voxel_parts(sidecar["VoxelSize"])
    return wanted


def _same_direction(sidecar, wanted):
    """The sidecar's B0 direction if it is the wanted one but for rounding."""
    found = sidecar.get("B0Direction")
    with contextlib.suppress(TypeError, ValueError):
        if np.allclose(found, wanted, atol=1e-5):
            return found
    return list(wanted)


def _model_name(arguments):
    if arguments.method != "spinet":
        return None
    if arguments.server:
        return arguments.model_name
    return Path(arguments.saved_model or arguments.model or PRETRAINED).name


def _text(value):
    if isinstance(value, list):
        return " and ".join(map(str, value))
    return "none" if value is None else str(value)
