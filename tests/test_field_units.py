import math

import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.field_units import check_units, field_to_ppm

FIELD = np.array([[-0.05, 0.0], [0.02, 0.3]], np.float32)


def brain(spread, seed=0):
    """Values whose 99th percentile of the magnitude is `spread`."""
    values = np.random.default_rng(seed).laplace(size=5001)
    return (values * spread / np.percentile(np.abs(values), 99)).astype(np.float32)


def test_ppm_is_unchanged():
    np.testing.assert_array_equal(field_to_ppm(FIELD, "ppm"), FIELD)


def test_hertz():
    # The proton at 3 T precesses at 127.73 MHz: 1 ppm is 127.73 Hz.
    ppm = field_to_ppm(np.float32([127.73243]), "hz", b0=3.0)
    assert ppm.dtype == np.float32
    assert ppm == pytest.approx([1.0], rel=1e-6)


def test_radians():
    # One turn a TE of 20 ms is 50 Hz.
    turn = np.float32([2 * math.pi])
    expected = field_to_ppm(np.float32([50]), "hz", b0=7.0)
    ppm = field_to_ppm(turn, "rad", b0=7.0, te=0.02)
    assert ppm.dtype == np.float32
    np.testing.assert_allclose(ppm, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": "Tesla"}, "units: expected one of ppm, hz, rad, got 'Tesla'"),
        ({"units": "hz"}, "field strength: a field in hz needs .* Tesla, got none"),
        ({"units": "rad", "te": 0.02}, "field strength: .* got none"),
        ({"units": "rad", "b0": 3.0}, "TE is in seconds.*got none"),
        ({"units": "hz", "b0": 0.0}, "field strength: .* got 0"),
        ({"units": "hz", "b0": -3.0}, "field strength: .* got -3"),
        ({"units": "hz", "b0": math.nan}, "field strength: .* got nan"),
        ({"units": "hz", "b0": math.inf}, "field strength: .* got inf"),
        ({"units": "hz", "b0": 127.7}, "field strength: .* got 127.7"),
        ({"units": "rad", "b0": 3.0, "te": 20.0}, "TE is in seconds.* got 20"),
        ({"units": "rad", "b0": 3.0, "te": 0.0}, "TE is in seconds.* got 0"),
        ({"units": "rad", "b0": 3.0, "te": -0.02}, "TE is in seconds.* got -0.02"),
        ({"units": "rad", "b0": 3.0, "te": math.nan}, "TE is in seconds.* got nan"),
    ],
)
def test_conversion_refuses(arguments, message):
    with pytest.raises(InputError, match=message):
        field_to_ppm(FIELD, **arguments)


@pytest.mark.parametrize("units", ["ppm", "hz", "rad"])
@pytest.mark.parametrize("spread", [0.002, 0.02, 0.04, 0.3, 1.0])
def test_plausible_fields_pass(spread, units):
    check_units(brain(spread), units)


@pytest.mark.parametrize(
    ("spread", "units", "message"),
    [
        (0.05 * 128, "ppm", "99th percentile 6.4 ppm .*look like Hz, radians"),
        (0.3 * 16.05, "ppm", "4.8[0-9] ppm .*look like Hz, radians"),
        (50.0, "ppm", "50 ppm .*ppb"),
        (0.05e-6 * 3, "ppm", "1.5e-07 ppm .*Tesla"),
        (0.05 / 127.7, "hz", "0.000392 ppm .*look like ppm already"),
        (1e-4, "rad", "0.0001 ppm .*look like ppm already"),
        (0.4 * 2 * math.pi, "hz", "2.51 ppm .*look like rad/s"),
        (50 / 16.05, "rad", "3.12 ppm .*look like Hz or ppb"),
    ],
)
def test_the_wrong_unit_is_told(spread, units, message):
    with pytest.raises(InputError, match=f"stated in {units}, .*{message}"):
        check_units(brain(spread), units)


def test_few_extreme_voxels_do_not_matter():
    values = brain(0.05)
    values[:20] = 40
    check_units(values, "ppm")


def test_zero_field_is_refused():
    with pytest.raises(InputError, match="0 everywhere in the mask"):
        check_units(np.zeros(100, np.float32), "ppm")
