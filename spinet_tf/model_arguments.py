"""Checks of what a network is made of."""

import math

MOST = {"unrolls": 100, "mm_steps": 100, "max_iterations": 10_000}
INTEGERS = {**MOST, "filters": math.inf, "blocks": math.inf}
PHYSICS = ("float32", "float64")
FINITE = ("chi_mean", "dc_value", "initial_lambda", "initial_p")
SWITCHES = (
    "residual",
    "batch_norm",
    "learn_p",
    "fill_outside",
    "adaptive_penalty",
)


def check_arguments(network):
    """Check the arguments of a network, those that its layers do not check.

    Args:
        network: `SpiNetQSM` with its arguments for attributes.

    Raises:
        ValueError: one is outside its range.
    """
    for name, most in INTEGERS.items():
        value = getattr(network, name)
        if not (_is_integer(value) and 1 <= value <= most):
            limits = "at least 1" if most == math.inf else f"from 1 to {most}"
            _refuse(name, value, f"an int {limits}")
    if network.channels not in (1, 2):
        _refuse("channels", network.channels, "1 or 2")
    for name in FINITE:
        if not _is_finite(getattr(network, name)):
            _refuse(name, getattr(network, name), "a finite int or float")
    if not (_is_finite(network.chi_std) and network.chi_std > 0):
        _refuse("chi_std", network.chi_std, "a finite int or float > 0")
    for name in ("tolerance", "dropout"):
        value = getattr(network, name)
        if not (_is_finite(value) and 0 <= value < 1):
            _refuse(name, value, "an int or float from 0 to below 1")
    for name in SWITCHES:
        if not isinstance(getattr(network, name), bool):
            _refuse(name, getattr(network, name), "True or False")
    policy = network.dtype_policy
    if policy.variable_dtype not in PHYSICS:
        _refuse("dtype", policy.name, "one whose variables are float32 or float64")
    if network.adaptive_penalty and not network.fill_outside:
        _refuse("adaptive_penalty", True, "False without fill_outside")


def _is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value):
    return isinstance(value, int | float) and math.isfinite(value)


def _refuse(name, value, expected):
    raise ValueError(f"{name} must be {expected}. Received: {name}={value!r:.100}")
