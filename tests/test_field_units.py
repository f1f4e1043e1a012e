import math

import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.field_units import check_units, ppm_per_unit


def brain(spread, seed=0):
    """Values whose 99th percentile of the magnitude is `spread`."""
    values = np.random.default_rng(seed).laplace(size=5001)
    return (values * spread / np.percentile(np.abs(values), 99)).astype(np.float32)


def test_ppm_is_unchanged():
    assert ppm_per_unit("ppm") == 1


def test_hertz():
    # The proton at 3 T precesses at 127.73 MHz: 1 ppm is 127.73 Hz.
    assert 127.73243 * ppm_per_unit("hz", b0=3.0) == pytest.approx(1, rel=1e-6)


def test_radians():
    # One turn a TE of 20 ms is 50 Hz.
    turn = 2 * math.pi * ppm_per_unit("rad", b0=7.0, te=0.02)
    assert turn == pytest.approx(50 * ppm_per_unit("hz", b0=7.0), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": "Tesla"}, "units: expected one of ppm, hz, rad, got 'Tesla'"),
        ({"units": "hz"}, "b0: the field strength of a field in hz .* Tesla, got none"),
        ({"units": "rad", "te": 0.02}, "b0: the field strength .* got none"),
        ({"units": "rad", "b0": 3.0}, "te: the echo time .* got none"),
        ({"units": "hz", "b0": 0.0}, "b0: the field strength .* got 0"),
        ({"units": "hz", "b0": -3.0}, "b0: the field strength .* got -3"),
        ({"units": "hz", "b0": math.nan}, "b0: the field strength .* got nan"),
        ({"units": "hz", "b0": math.inf}, "b0: the field strength .* got inf"),
        ({"units": "hz", "b0": 127.7}, "b0: the field strength .* got 127.7"),
        ({"units": "rad", "b0": 3.0, "te": 20.0}, "te: the echo time .* got 20"),
        ({"units": "rad", "b0": 3.0, "te": 0.0}, "te: the echo time .* got 0"),
        ({"units": "rad", "b0": 3.0, "te": -0.02}, "te: the echo time .* got -0.02"),
        ({"units": "rad", "b0": 3.0, "te": math.nan}, "te: the echo time .* got nan"),
    ],
)
def test_conversion_refuses(arguments, message):
    with pytest.raises(InputError, match=message):
        ppm_per_unit(**arguments)


@pytest.mark.parametrize("units", ["ppm", "hz", "rad"])
@pytest.mark.parametrize("ppm", [0.002, 0.02, 0.04, 0.3, 0.59])
def test_plausible_fields_pass(ppm, units):
    check_units(brain(ppm / ppm_per_unit(units, 3.0, 0.02)), units, 3.0, 0.02)


@pytest.mark.parametrize(
    ("spread", "units", "message"),
    [
        # 0.04 and 0.3 ppm at 3 T and an echo time of 20 ms
        (0.04 * 128, "ppm", "5.12 ppm, .* looks like Hz"),
        (0.04 * 16.05, "ppm", "0.642 ppm, .* looks like radians$"),
        (0.023 * 128, "ppm", "2.94 ppm, .* looks like radians or Hz"),
        (0.04 * 1000, "ppm", "40 ppm, .* looks like Hz or ppb"),
        (0.3 * 1000, "ppm", "300 ppm, .* looks like ppb or rad/s"),
        (0.04e-6 * 3, "ppm", "1.2e-07 ppm, .* looks like Tesla"),
        (0.04, "hz", "0.04 Hz or 0.000313 ppm, .* looks like ppm"),
        (0.01, "rad", "0.01 radians or 0.000623 ppm, .* looks like ppm"),
        (0.1 * 803, "hz", "80.3 Hz or 0.629 ppm, .* looks like ppb or rad/s"),
        (0.1 * 128, "rad", "12.8 radians or 0.797 ppm, .* looks like Hz"),
    ],
)
def test_the_wrong_unit_is_told(spread, units, message):
    with pytest.raises(InputError, match=f"^field.nii: .*{message}"):
        check_units(brain(spread), units, 3.0, 0.02, "field.nii")


def test_the_wrong_field_strength_or_echo_time_is_suspected():
    with pytest.raises(InputError, match="1.17 ppm, .* check the field strength$"):
        check_units(brain(10), "hz", 0.2)
    with pytest.raises(InputError, match="field strength and echo time$"):
        check_units(brain(2), "rad", 3.0, 0.002)


def test_few_extreme_voxels_do_not_matter():
    values = brain(0.05)
    values[:20] = 40
    check_units(values, "ppm")


def test_a_field_in_tesla_is_refused():
    with pytest.raises(InputError, match="expected of a brain"):
        check_units(brain(6e-5), "ppm")


def test_zero_field_is_refused():
    with pytest.raises(InputError, match="field.nii: .* 0 everywhere in the mask"):
        check_units(np.zeros(100, np.float32), "ppm", name="field.nii")
