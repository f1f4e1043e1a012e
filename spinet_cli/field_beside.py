"""What the sidecar beside a local field says against the flags."""

import contextlib
import math
import os
import warnings
from pathlib import Path

import numpy as np

from spinet_cli.scan_task import without_suffix
from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import direction_in, read_metadata
from spinet_tf.field_units import UNITS

LARGEST_ANGLE = 1.0
"""In degrees; rounding of a header or a sidecar is less."""
LONGEST_UNITS = 40


def warn_of_other_units(task):
    """Warn where the JSON file beside a field names other units than are used.

    One that cannot be read or used says nothing.

    Args:
        task: `ScanTask`.
    """
    path, content = _beside(task.field)
    stated, used = content.get("Units"), task.units.units
    if not isinstance(stated, str) or stated.lower() == used:
        return
    known = stated.lower() in UNITS
    hint = f"give --field-units {stated.lower()}" if known else "see --field-units"
    warnings.warn(
        f"{path}: its Units are {stated[:LONGEST_UNITS]!r}, the field is taken to be in"
        f" {UNITS[used]}; {hint}",
        stacklevel=2,
    )


def warn_of_another_direction(task, b0_direction):
    """Warn where the JSON file beside a field names another B0 direction than is used.

    One that cannot be read or used says nothing.

    Args:
        task: `ScanTask`.
        b0_direction: unit vector of three floats in voxel axes, that is used.
    """
    path, content = _beside(task.field)
    stated = None
    with contextlib.suppress(InputError):
        stated = direction_in(content, path)
    if stated is None or task.flags.b0_dir != "auto":
        return
    # B0 and its opposite are the same to the dipole.
    cosine = min(1.0, abs(float(np.dot(stated, b0_direction))))
    degrees = math.degrees(math.acos(cosine))
    if degrees > LARGEST_ANGLE:
        vector = ",".join(f"{component:.6g}" for component in stated)
        warnings.warn(
            f"{path}: its B0Direction is {degrees:.3g} degrees from the one that is"
            f" used; for the sidecar's give --b0-dir={vector}",
            stacklevel=2,
        )


def _beside(field):
    """The path of the JSON file beside a field, and what is in it, if anything is."""
    stem = without_suffix(field)
    path = Path(f"{stem}.json")
    if stem != field and os.path.isfile(path):
        with contextlib.suppress(InputError):
            return path, read_metadata(path)
    return path, {}
