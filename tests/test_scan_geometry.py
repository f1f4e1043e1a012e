import math

import pytest

from spinet_tf.errors import InputError
from spinet_tf.scan_geometry import (
    check_voxel_size,
    normalise_b0_direction,
    parse_vector,
)


def test_parse_vector():
    assert parse_vector("0.7, 0.7,-3e0", "--voxel-size") == (0.7, 0.7, -3.0)


@pytest.mark.parametrize(
    "text", ["", "1", "1,2", "1,2,3,4", "1,2,x", "1,,3", "nan,1,1", "1,inf,1", "1 2 3"]
)
def test_parse_vector_refuses(text):
    with pytest.raises(InputError, match=r"--voxel-size: expected three numbers"):
        parse_vector(text, "--voxel-size")


def test_voxel_size_limits_are_included():
    assert check_voxel_size((0.05, 1, 20)) == (0.05, 1.0, 20.0)


@pytest.mark.parametrize(
    "voxel_size",
    [(0, 1, 1), (1, -1, 1), (1, 1, math.nan), (1, 1, 20.1), (0.049, 1, 1), (1, 1)],
)
def test_voxel_size_refuses(voxel_size):
    with pytest.raises(InputError, match=r"--voxel-size: expected three edges"):
        check_voxel_size(voxel_size, "--voxel-size")


def test_normalise_b0_direction():
    assert normalise_b0_direction((0, -3, 4)) == pytest.approx((0, -0.6, 0.8))


@pytest.mark.parametrize(
    "direction", [(0, 0, 0), (0, 0, math.nan), (math.inf, 0, 1), (0, 1)]
)
def test_normalise_b0_direction_refuses(direction):
    with pytest.raises(InputError, match="B0 direction: expected a vector"):
        normalise_b0_direction(direction)
