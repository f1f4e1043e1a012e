import keras
import numpy as np
import pytest

from spinet_tf import DenoiserOnly
from spinet_tf.model_files import load_model, save_model
from spinet_tf.reconstruct import Reconstructor
from tests.grids import geometry, random_volume


def scan():
    rng = np.random.default_rng(0)
    size, voxel_sizes, b0 = geometry("odd")
    field = 0.01 * random_volume(rng, size)[0, ..., 0].astype("float32")
    mask = np.zeros(size, np.float32)
    mask[1:-1, 1:-2, 2:-1] = 1
    return field, mask, voxel_sizes[0], b0[0]


def test_it_is_the_cnn_and_nothing_else(tmp_path):
    keras.utils.set_random_seed(0)
    model = DenoiserOnly(unrolls=1, filters=4, blocks=1, residual=False)
    save_model(model, tmp_path / "cnn.keras")
    loaded = load_model(tmp_path / "cnn.keras")
    assert type(loaded) is DenoiserOnly
    field, mask, voxel_size, b0 = scan()
    result = Reconstructor(loaded)(field, mask, voxel_size, b0)
    problem = model.prepare(
        {
            "local_field": field[None, ..., None],
            "mask": mask[None, ..., None],
            "voxel_size": voxel_size[None],
            "b0_direction": b0[None],
        }
    )
    expected = problem.mask * model.denoise(problem.start)
    np.testing.assert_allclose(
        result.susceptibility, expected[0, ..., 0], atol=1e-6 * np.abs(expected).max()
    )
    assert [unroll.iterations for unroll in result.unrolls] == [0]


def test_one_pass_is_all_there_is():
    with pytest.raises(ValueError, match="unrolls must be 1"):
        DenoiserOnly(unrolls=3)


def test_a_share_left_out_is_not_told_as_none_is_looked_for():
    network = DenoiserOnly(
        filters=2, blocks=1, mm_steps=2, adaptive_penalty=True, fill_outside=True
    )
    field, mask = (np.full((6, 5, 4), value, np.float32) for value in (0.01, 1))
    result = Reconstructor(network)(field, mask, (1, 1, 1), (0, 0, 1))
    assert result.left_out is None


def test_lambda_and_p_do_nothing():
    field, mask, voxel_size, b0 = scan()
    model = DenoiserOnly(unrolls=1, filters=4, blocks=1)
    first = Reconstructor(model)(field, mask, voxel_size, b0).susceptibility
    model.data_consistency.penalty.p_decay.assign(1.0)
    second = Reconstructor(model)(field, mask, voxel_size, b0).susceptibility
    np.testing.assert_array_equal(first, second)
