"""Copies of a network compute the same."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.agreement import relative_error
from spinet_tf.copies import folded, with_transform
from spinet_tf.fourier import MatrixDFT
from tests.grids import GRIDS
from tests.networks import VARIANTS, perturbed_model, scan, small_model


def test_folded_copy_computes_the_same():
    model = perturbed_model(dropout=0.2)
    model.data_consistency.set_weights(np.float32([-3.0, 0.3]))
    inputs = scan()
    for_inference = folded(model)
    expected = model(inputs)
    np.testing.assert_allclose(
        for_inference(inputs), expected, atol=1e-5 * np.abs(expected).max()
    )
    again = folded(for_inference)
    np.testing.assert_array_equal(again(inputs), for_inference(inputs))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_matrix_transform_computes_the_same(variant, grid):
    options = {"tolerance": 1e-12, "max_iterations": 300, "dtype": "float64"}
    model = small_model(**options, **VARIANTS[variant])
    inputs = scan(grid, np.float64)
    expected = model(inputs).numpy()
    matrix = with_transform(model, MatrixDFT)
    np.testing.assert_allclose(
        matrix(inputs), expected, atol=1e-8 * np.abs(expected).max()
    )
    assert matrix.get_config() == model.get_config()
    assert model.dipole.transform is not MatrixDFT


def test_mixed_precision_is_of_the_cnn_only():
    model = small_model()
    mixed = folded(model, "bfloat16")
    inputs = scan()
    problem = mixed.prepare(inputs)
    unroll = next(mixed.rounds(problem))
    assert mixed.denoiser(problem.mask).dtype == tf.bfloat16
    assert problem.kernel.dtype == unroll.susceptibility.dtype == tf.float32
    expected = model(inputs).numpy()
    error = relative_error(mixed(inputs), expected)
    assert 0 < error < 0.03
