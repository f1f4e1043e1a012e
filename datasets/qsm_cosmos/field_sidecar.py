"""The JSON file beside a local field: B0 direction and units."""

import json
from pathlib import Path
from typing import NamedTuple

from spinet_tf.errors import InputError
from spinet_tf.field_units import ppm_per_unit
from spinet_tf.scan_geometry import normalise_b0_direction

from .scan import FieldUnits

_DIRECTION_KEYS = ("B0Direction", "B0_dir")


class FieldSidecar(NamedTuple):
    """What a sidecar says.

    Attributes:
        b0_direction: unit vector in voxel axes; None if the sidecar has none.
        units: of the field; ppm if the sidecar names none.
    """

    b0_direction: tuple[float, float, float] | None = None
    units: FieldUnits = FieldUnits()


def read_sidecar(path: Path) -> FieldSidecar:
    """Reads `B0Direction` (or `B0_dir`) and `Units` of a local field.

    `MagneticFieldStrength` [T] is needed for `Units` "Hz" and "rad", `EchoTime` [s]
    for "rad".

    Args:
        path: JSON file; may be missing.

    Returns:
        What it says.

    Raises:
        InputError: if it is not JSON, or a value is missing or unusable.
    """
    if not path.exists():
        return FieldSidecar()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object")
    units = FieldUnits(
        units=str(content.get("Units", "ppm")).lower(),
        b0=_number(content, "MagneticFieldStrength", path),
        te=_number(content, "EchoTime", path),
    )
    try:
        ppm_per_unit(*units)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return FieldSidecar(_direction(content, path), units)


def _number(content: dict, key: str, path: Path) -> float | None:
    value = content.get(key)
    if value is not None and not isinstance(value, int | float):
        raise InputError(f"{path}: expected {key} to be a number, got {value!r}")
    return value


def _direction(content: dict, path: Path) -> tuple[float, float, float] | None:
    key = next((key for key in _DIRECTION_KEYS if key in content), None)
    if key is None:
        return None
    value = content[key]
    if not isinstance(value, list) or not all(
        isinstance(component, int | float) for component in value
    ):
        raise InputError(f"{path}: expected {key} to be three numbers, got {value!r}")
    return normalise_b0_direction(value, f"{path}: {key}")
