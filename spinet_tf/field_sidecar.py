"""The JSON file beside a local field: B0 direction and units."""

import json
import math
from pathlib import Path
from typing import NamedTuple

from spinet_tf.errors import InputError
from spinet_tf.field_units import FieldUnits, ppm_per_unit
from spinet_tf.scan_geometry import normalise_b0_direction
from spinet_tf.small_files import read_bytes

PPM = FieldUnits()
DIRECTION_KEYS = ("B0Direction", "B0_dir")
LONGEST_SHOWN = 200


class FieldSidecar(NamedTuple):
    """What a sidecar says.

    Attributes:
        b0_direction: unit vector in voxel axes; None if the sidecar has none.
        units: of the field; ppm if the sidecar names none.
    """

    b0_direction: tuple[float, float, float] | None = None
    units: FieldUnits = PPM


def read_json_object(path: Path) -> dict:
    """Reads a JSON file.

    Args:
        path: JSON file.

    Returns:
        Its content.

    Raises:
        InputError: if it cannot be read, is not JSON, or no object, or has more than
            16 MiB.
    """
    content = read_bytes(path)
    try:
        content = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object")
    return content


def read_metadata(path: Path) -> dict:
    """What a sidecar says; null, which some programs write for unknown, is nothing.

    Args:
        path: JSON file.

    Returns:
        Its keys that have a value.

    Raises:
        InputError: as `read_json_object`.
    """
    content = read_json_object(path)
    return {key: value for key, value in content.items() if value is not None}


def parse_sidecar(content: dict, path: Path, default: FieldUnits = PPM) -> FieldSidecar:
    """What the metadata of a local field say.

    `MagneticFieldStrength` [T] is needed for `Units` "Hz" and "rad", `EchoTime` [s]
    for "rad".

    Args:
        content: the metadata.
        path: where they come from, for messages.
        default: stands for what the metadata do not say. Defaults to ppm.

    Returns:
        What they say.

    Raises:
        InputError: if a value is missing or unusable.
    """
    units = str(content.get("Units", default.units)).lower()
    times = content.get("EchoTime")
    if units != "rad" and isinstance(times, list) and None not in map(_finite, times):
        # That of several echoes, which only a field in rad minds.
        content = {**content, "EchoTime": None}
    units = FieldUnits(
        units,
        b0=_number(content, "MagneticFieldStrength", path, default.b0),
        te=_number(content, "EchoTime", path, default.te),
    )
    try:
        ppm_per_unit(*units)
    except InputError as error:
        # By the names of the keys rather than those of arguments.
        told = str(error).replace("b0: ", "MagneticFieldStrength, ", 1)
        told = told.replace("te: ", "EchoTime, ", 1)
        raise InputError(f"{path}: {told}") from error
    return FieldSidecar(direction_in(content, path), units)


def _number(content: dict, key: str, path: Path, default: float | None) -> float | None:
    value = content.get(key)
    if value is None:
        return default
    number = _finite(value)
    if number is None:
        got = _shortened(value)
        raise InputError(f"{path}: expected {key} to be a number, got {got}")
    return number


def _finite(value: object) -> float | None:
    """A number of a JSON file, None for what is none or no float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ..."


def direction_in(content: dict, path: Path) -> tuple[float, float, float] | None:
    """The B0 direction that the metadata of a local field tell.

    Args:
        content: the metadata.
        path: where they come from, for messages.

    Returns:
        Unit vector in voxel axes; None if they tell none.

    Raises:
        InputError: if it is not three numbers, or has no length.
    """
    key = next((key for key in DIRECTION_KEYS if key in content), None)
    if key is None:
        return None
    value = content[key]
    direction = list(map(_finite, value)) if isinstance(value, list) else []
    if len(direction) != 3 or None in direction:
        got = _shortened(value)
        raise InputError(f"{path}: expected {key} to be three numbers, got {got}")
    return normalise_b0_direction(direction, f"{path}: {key}")
