"""Units of the local field: ppm, Hz and radians."""

import math

import numpy as np

from spinet_tf.errors import InputError

GYROMAGNETIC_RATIO = 42.577478518
"""Of the proton, divided by 2 pi [MHz/T]."""

UNITS = ("ppm", "hz", "rad")

# The 99th percentile of |local field| of a brain is 0.02 to 0.3 ppm. The limits
# are wide, so that simulations and bleedings pass. In Hz and radians the lower one
# is higher: a field that is in ppm already would shrink to 1e-4..1e-3.
LARGEST_FIELD = 2.0
SMALLEST_FIELD = {"ppm": 1e-4, "hz": 1e-3, "rad": 1e-3}
TOO_LARGE = {
    "ppm": "the values look like Hz, radians or ppb",
    "hz": "the values look like rad/s or ppb, or the field strength is too low",
    "rad": "the values look like Hz or ppb, or the echo time is too short",
}
TOO_SMALL = {
    "ppm": "the values look like Tesla or a fraction of B0 (1e-6 of a ppm)",
    "hz": "the values look like ppm already",
    "rad": "the values look like ppm already, or the echo time is too long",
}


def field_to_ppm(
    field: np.ndarray, units: str, b0: float | None = None, te: float | None = None
) -> np.ndarray:
    """Local field in ppm of B0.

    ppm = Hz / (gamma B0) and ppm = rad / (2 pi gamma B0 TE).

    Args:
        field: float32, any shape, in `units`.
        units: "ppm", "hz" or "rad".
        b0: field strength [T]; needed for "hz" and "rad". Defaults to None.
        te: echo time [s]; needed for "rad". Defaults to None.

    Returns:
        float32, the shape of `field`, local field [ppm].

    Raises:
        InputError: if the units are unknown, or `b0` or `te` is missing or absurd.
    """
    if units not in UNITS:
        raise InputError(f"units: expected one of {', '.join(UNITS)}, got {units!r}")
    if units == "ppm":
        return field
    _check_in_range(b0, "field strength", "Tesla", 0.01, 25, units)
    hertz_per_ppm = GYROMAGNETIC_RATIO * b0
    if units == "hz":
        return field / hertz_per_ppm
    _check_in_range(te, "echo time", "seconds (TE is in seconds)", 1e-5, 1, units)
    return field / (2 * math.pi * hertz_per_ppm * te)


def check_units(field_in_mask: np.ndarray, units: str) -> None:
    """Check that a field converted from the stated units can be a brain's.

    It catches gross mistakes only: at 3 T and an echo time of 20 ms, one ppm is
    128 Hz and 16 rad, and a field in radians taken for ppm may pass.

    Args:
        field_in_mask: float32, the finite values inside the mask [ppm].
        units: the units it was stated to be in, "ppm", "hz" or "rad".

    Raises:
        InputError: if the 99th percentile of |field| is above 2 ppm, or below
            1e-4 ppm (1e-3 ppm if stated in Hz or radians), with a guess of the unit.
    """
    magnitude = np.abs(field_in_mask)
    if not magnitude.any():
        raise InputError("the local field is 0 everywhere in the mask")
    spread = float(np.percentile(magnitude, 99))
    if spread > LARGEST_FIELD:
        guess = TOO_LARGE[units]
    elif spread < SMALLEST_FIELD[units]:
        guess = TOO_SMALL[units]
    else:
        return
    raise InputError(
        f"the local field was stated in {units}, which makes its 99th percentile"
        f" {spread:.3g} ppm (expected of a brain: 0.02 to 0.3 ppm): {guess}"
    )


def _check_in_range(
    value: float | None, name: str, unit: str, low: float, high: float, units: str
) -> None:
    # NaN fails the comparison too.
    if value is None or not low <= value <= high:
        got = "none" if value is None else f"{value:g}"
        raise InputError(
            f"{name}: a field in {units} needs {low:g} to {high:g} {unit}, got {got}"
        )
