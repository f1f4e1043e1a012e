import numpy as np
import pytest

from spinet_tf.classical import tikhonov
from spinet_tf.errors import InputError
from spinet_tf.reconstruct import Reconstructor, reconstruct_classical
from spinet_tf.reconstruction import data_consistency_error
from spinet_tf.residual import field_residual
from tests.command_line import mask, read, read_json, succeed, write_model, write_scan
from tests.networks import small_model


def test_residual_is_that_of_the_sidecar(tmp_path):
    """The same number as the solver's, from the map on disk."""
    write_scan(tmp_path)
    write_model(tmp_path / "tiny.keras")
    flags = {"field": tmp_path / "field.nii.gz", "mask": tmp_path / "mask.nii.gz"}
    for method in ({"method": "tikhonov"}, {"model": tmp_path / "tiny.keras"}):
        succeed("reconstruct", **flags, **method, output=tmp_path / "plain.nii")
        told = read_json(tmp_path / "plain.json")
        field = read(tmp_path / "field.nii.gz")
        residual = field_residual(
            read(tmp_path / "plain.nii"),
            field,
            mask(),
            told["VoxelSize"],
            told["B0Direction"],
        )
        assert not residual[~mask()].any()
        share = data_consistency_error(residual, field, mask())
        assert share == pytest.approx(told["DataConsistencyError"], rel=1e-3)


@pytest.mark.parametrize(
    ("position", "change", "message"),
    [
        (0, lambda chi: chi[1:], r"mask: expected the shape \(4, 4, 6\)"),
        (
            0,
            lambda chi: np.where(mask_of_one(), chi, np.nan),
            "susceptibility: .*finite",
        ),
        (0, lambda chi: np.where(mask_of_one(), chi, 1e39), "expected finite values"),
        (1, lambda y: y[1:], r"mask: expected the shape \(4, 4, 6\)"),
        (1, lambda y: np.where(mask_of_one(), np.inf, y), "local_field: .*in the mask"),
        (2, lambda mask: 0.5 * mask, "mask: expected 0 and 1"),
    ],
)
def test_what_has_no_residual(position, change, message):
    given = [np.ones((5, 4, 6)), np.ones((5, 4, 6)), mask_of_one()]
    given[position] = change(given[position])
    with pytest.raises(InputError, match=message):
        field_residual(*given, (1, 1, 1), (0, 0, 1))


def mask_of_one():
    one = np.zeros((5, 4, 6))
    one[2, 2, 2] = 1
    return one


def test_residual_is_float32_whatever_the_field_is():
    volume = np.ones((5, 4, 6))
    residual = field_residual(volume, volume.tolist(), volume, (1, 1, 1), (0, 0, 1))
    assert residual.dtype == np.float32
    np.testing.assert_allclose(residual, -1, atol=1e-6)  # D(0) = 0


def test_a_direction_longer_than_float32_holds():
    chi = np.random.default_rng(0).standard_normal((4, 5, 6)).astype(np.float32)
    ones = np.ones(chi.shape, np.float32)
    long, unit = (
        field_residual(chi, ones, ones, (1, 1, 1), (0, 0, length))
        for length in (1e39, 1)
    )
    np.testing.assert_array_equal(long, unit)
    long, unit = (
        reconstruct_classical(tikhonov, chi, ones, (1, 1, 1), (0, 0, length))
        for length in (1e39, 1)
    )
    np.testing.assert_array_equal(long.susceptibility, unit.susceptibility)
    network = Reconstructor(small_model(unrolls=1))
    long, unit = (
        network(0.01 * chi, ones, (1, 1, 1), (0, 0, length)) for length in (1e39, 1)
    )
    np.testing.assert_array_equal(long.susceptibility, unit.susceptibility)
