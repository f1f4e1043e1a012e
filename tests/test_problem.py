import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.problem import penalty_emphasis
from tests.grids import GRIDS


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("grid", GRIDS)
def test_lambda_goes_with_the_frequency(grid, order):
    size, _ = GRIDS[grid]
    axes = [np.fft.fftfreq(n) for n in size[:2]] + [np.fft.rfftfreq(size[2])]
    k = np.sqrt(sum(x**2 for x in np.meshgrid(*axes, indexing="ij")))
    kernel = tf.ones((1, *size[:2], size[2] // 2 + 1), tf.float64)
    squared = penalty_emphasis(size, order, kernel).numpy()[0] ** 2
    assert 0.5 < squared[0, 0, 0] < 0.7
    k = k.ravel()[1:]
    expected = (k / 0.15) ** order + 0.5 * np.exp(-((k / 0.06) ** 2))
    np.testing.assert_allclose(squared.ravel()[1:], expected, rtol=1e-12)
