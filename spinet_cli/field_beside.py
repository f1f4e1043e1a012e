"""What the sidecar beside a local field says against the flags."""

import contextlib
import math
import os
import warnings
from pathlib import Path

import numpy as np

from spinet_cli.scan_task import without_suffix
from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import direction_in, read_json_object
from spinet_tf.field_units import UNITS

LARGEST_ANGLE = 1.0
"""In degrees; rounding of a header or a sidecar is less."""
LONGEST_UNITS = 40


def warn_of_sidecar(task, b0_direction):
    """Warn where the JSON file beside a field says something else than what is used.

    One that cannot be read or used says nothing.

    Args:
        task: `ScanTask`.
        b0_direction: unit vector of three floats in voxel axes, that is used.
    """
    stem = without_suffix(task.field)
    path = Path(f"{stem}.json")
    if stem == task.field or not os.path.isfile(path):
        return
    with contextlib.suppress(InputError):
        content = read_json_object(path)
        _compare_units(path, content.get("Units"), task.units.units)
        if task.flags.b0_dir == "auto":
            _compare_directions(path, direction_in(content, path), b0_direction)


def _compare_units(path, stated, used):
    if not isinstance(stated, str) or stated.lower() == used:
        return
    known = stated.lower() in UNITS
    hint = f"give --field-units {stated.lower()}" if known else "see --field-units"
    warnings.warn(
        f"{path}: its Units are {stated[:LONGEST_UNITS]!r}, the field is taken to be in"
        f" {UNITS[used]}; {hint}",
        stacklevel=3,
    )


def _compare_directions(path, stated, used):
    if stated is None:
        return
    # B0 and its opposite are the same to the dipole.
    cosine = min(1.0, abs(float(np.dot(stated, used))))
    degrees = math.degrees(math.acos(cosine))
    if degrees > LARGEST_ANGLE:
        vector = ",".join(f"{component:.6g}" for component in stated)
        warnings.warn(
            f"{path}: its B0Direction is {degrees:.3g} degrees from that of the header,"
            f" which is used; for the sidecar's give --b0-dir={vector}",
            stacklevel=3,
        )
