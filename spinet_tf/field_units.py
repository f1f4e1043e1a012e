"""Units of the local field: ppm, Hz and radians."""

import math
import warnings
from typing import NamedTuple

import numpy as np

from spinet_tf.errors import InputError

GYROMAGNETIC_RATIO = 42.577478518
"""Of the proton, divided by 2 pi [MHz/T]."""

UNITS = {"ppm": "ppm", "hz": "Hz", "rad": "radians"}
"""Name in code and on the command line, and in messages."""

# The 99th percentile of |local field| of a brain is 0.02 to 0.3 ppm. The limits are
# wider, so that simulations and bleedings pass. In Hz and radians the lower one is
# higher: a field that is in ppm already would shrink to 1e-4..1e-3.
LARGEST_FIELD = 0.6
SMALLEST_FIELD = {"ppm": 1e-4, "hz": 1e-3, "rad": 1e-3}
# What a 99th percentile looks like up to each number, the likeliest first. 0.02 to
# 0.3 ppm is 20 to 300 ppb and, at an echo time of 20 ms,
#   at 1.5 T   1.3 to 19 Hz   8 to 120 rad/s    0.2 to 2.4 rad
#   at 3 T     2.6 to 38 Hz   16 to 240 rad/s   0.3 to 4.8 rad
#   at 7 T     6 to 89 Hz     37 to 560 rad/s   0.7 to 11 rad
LOOKS_LIKE = (
    (1e-4, "Tesla or a fraction of B0"),
    (LARGEST_FIELD, "ppm"),
    (1.2, "radians"),
    (5.0, "radians or Hz"),
    (7.0, "Hz or radians at 7 T"),
    (12.0, "Hz or rad/s or radians at 7 T"),
    (19.0, "Hz or rad/s"),
    (40.0, "Hz or ppb or rad/s"),
    (90.0, "ppb or rad/s, or Hz at 7 T"),
    (math.inf, "ppb or rad/s"),
)


FIELD_STRENGTHS = (0.01, 25)  # [T]
ECHO_TIMES = (1e-5, 1)  # [s]


class FieldUnits(NamedTuple):
    """What a local field is measured in.

    Attributes:
        units: "ppm", "hz" or "rad".
        b0: field strength [T], for "hz" and "rad".
        te: echo time [s], for "rad".
    """

    units: str = "ppm"
    b0: float | None = None
    te: float | None = None


def ppm_per_unit(units: str, b0: float | None = None, te: float | None = None) -> float:
    """Factor that converts a local field to ppm of B0.

    ppm = Hz / (gamma B0) and ppm = rad / (2 pi gamma B0 TE).

    Args:
        units: "ppm", "hz" or "rad".
        b0: field strength [T]; needed for "hz" and "rad". Defaults to None.
        te: echo time [s]; needed for "rad". Defaults to None.

    Returns:
        The factor.

    Raises:
        InputError: if the units are unknown, or `b0` or `te` is missing or absurd.
    """
    if units not in UNITS:
        raise InputError(f"units: expected one of {', '.join(UNITS)}, got {units!r}")
    if units == "ppm":
        return 1.0
    _check_in_range(b0, "b0: the field strength", "Tesla", *FIELD_STRENGTHS, units)
    hertz_per_ppm = GYROMAGNETIC_RATIO * b0
    if units == "hz":
        return 1 / hertz_per_ppm
    _check_in_range(te, "te: the echo time", "seconds", *ECHO_TIMES, units)
    return 1 / (2 * math.pi * hertz_per_ppm * te)


def check_units(
    field_in_mask: np.ndarray,
    units: str,
    b0: float | None = None,
    te: float | None = None,
    name: str = "local field",
    stated: bool = False,
    units_flag: str | None = None,
) -> None:
    """Check that a field in the stated units can be a brain's.

    It catches gross mistakes only: the field of a quiet brain in radians may pass for
    a strong one in ppm.

    Args:
        field_in_mask: float32, the finite values inside the mask, in `units`.
        units: "ppm", "hz" or "rad".
        b0: field strength [T], as for `ppm_per_unit`. Defaults to None.
        te: echo time [s], as for `ppm_per_unit`. Defaults to None.
        name: what messages call the field. Defaults to "local field".
        stated: whether a person says that the field is in ppm, as of a phantom or
            another body, so that it is warned of rather than refused. Defaults to
            False.
        units_flag: the flag that says so, for the message. Defaults to None: there is
            none.

    Raises:
        InputError: if the field is 0; or, unless `stated`, if the 99th percentile of
            |field| is above 0.6 ppm, or below 1e-4 ppm (1e-3 ppm if in Hz or
            radians), with a guess of the unit.
    """
    magnitude = np.abs(field_in_mask)
    if not magnitude.any():
        raise InputError(f"{name}: the field is 0 everywhere in the mask")
    spread = float(np.percentile(magnitude, 99))
    ppm = spread * ppm_per_unit(units, b0, te)
    if SMALLEST_FIELD[units] <= ppm <= LARGEST_FIELD:
        return
    guess = next(unit for largest, unit in LOOKS_LIKE if spread <= largest)
    hint = f"it looks like {guess}"
    # What follows a comma is the least likely.
    likely = guess.partition(",")[0].split(" or ")
    if any(each.startswith(UNITS[units]) for each in likely):
        hint = "check the field strength" + " and echo time" * (units == "rad")
    found = f"{spread:.3g} {UNITS[units]}"
    if units != "ppm":
        found += f" or {ppm:.3g} ppm"
    told = (
        f"{name}: the 99th percentile of the field in the mask is {found},"
        f" expected of a brain 0.02 to 0.3 ppm; {hint}"
    )
    if stated:
        warnings.warn(told, stacklevel=2)
        return
    if units_flag and units == "ppm":
        told += f"; if it is in ppm, as of a phantom, give {units_flag} ppm"
    raise InputError(told)


def _check_in_range(
    value: float | None, name: str, unit: str, low: float, high: float, units: str
) -> None:
    # NaN fails the comparison too.
    if value is None or not low <= value <= high:
        got = "none" if value is None else f"{value:g}"
        raise InputError(
            f"{name} of a field in {units} must be {low:g} to {high:g} {unit},"
            f" got {got}"
        )
