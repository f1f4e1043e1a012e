import keras
import numpy as np
import pytest

from benchmarks.agreement import relative_error
from spinet_tf import DenoiserOnly, SpiNetQSM, denoising_plan
from spinet_tf.available_memory import ALL_MEMORY
from spinet_tf.classical import tikhonov
from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.errors import InputError
from spinet_tf.reconstruct import Reconstructor, reconstruct_classical
from spinet_tf.reconstruction import data_consistency_error
from spinet_tf.reconstruction_memory import check_memory, memory_needed
from spinet_tf.simulate import simulate_field

VOXEL_SIZE, B0 = (0.8, 1.0, 1.5), (0.0, 0.6, 0.8)
SHIPPED = {"mm_steps": 2, "fill_outside": True, "adaptive_penalty": True}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return SpiNetQSM(filters=4, blocks=1, unrolls=2)


def scan(size=(9, 8, 11)):
    rng = np.random.default_rng(0)
    mask = np.zeros(size, bool)
    mask[1:-1, 1:-1, 1:-1] = True
    return (0.02 * mask * rng.standard_normal(size)).astype("float32"), mask


def test_equals_the_model_and_reports_each_unroll(model):
    field, mask = scan()
    seen = []
    result = Reconstructor(model)(
        field, mask, VOXEL_SIZE, B0, lambda k, report: seen.append((k, report))
    )
    expected = model(
        {
            "local_field": field[np.newaxis, ..., np.newaxis],
            "mask": mask[np.newaxis, ..., np.newaxis].astype("float32"),
            "voxel_size": np.array([VOXEL_SIZE], "float32"),
            "b0_direction": np.array([B0], "float32"),
        }
    ).numpy()[0, ..., 0]
    np.testing.assert_allclose(
        result.susceptibility, expected, atol=1e-5 * np.abs(expected).max()
    )
    assert [k for k, _ in seen] == [1, 2]
    assert [report for _, report in seen] == result.unrolls
    assert all(report.iterations > 0 for report in result.unrolls)
    assert all(report.relative_residual <= 1e-4 for report in result.unrolls)
    np.testing.assert_array_equal(
        result.unrolls[-1].susceptibility, result.susceptibility
    )
    predicted = simulate_field(result.susceptibility, mask, VOXEL_SIZE, B0)
    misfit = relative_error(predicted, field)
    assert result.data_consistency == pytest.approx(misfit, rel=1e-4)


@pytest.mark.parametrize("whole_volume", [False, True])
@pytest.mark.parametrize(
    ("network", "options", "precision"),
    [
        (SpiNetQSM, {}, "float32"),
        (SpiNetQSM, {"channels": 2}, "float32"),
        (SpiNetQSM, SHIPPED, "bfloat16"),
        (DenoiserOnly, {}, "float32"),
    ],
    ids=["plain", "complex", "shipped", "no physics"],
)
def test_sizes_share_the_traces(monkeypatch, network, options, precision, whole_volume):
    monkeypatch.setattr(denoising_plan, "WORTHWHILE", np.inf)
    model = network(filters=4, blocks=1, unrolls=1, **options)
    reconstructor = Reconstructor(model, precision, whole_volume=whole_volume)
    for size in ((9, 8, 11), (10, 7, 6), (7, 1, 5), (1, 1, 1)):
        field, mask = scan(size)
        assert reconstructor(field, mask, VOXEL_SIZE, B0).susceptibility.shape == size
    denoise = reconstructor._tiled._run_tile
    if whole_volume:
        denoise = reconstructor._denoise
    others = (reconstructor._prepare, reconstructor._fit, reconstructor._predict_field)
    for part in (denoise, *others):
        assert part.experimental_get_tracing_count() == 1


def test_bfloat16_is_close(model):
    field, mask = scan()
    exact, rough = (
        Reconstructor(model, precision)(field, mask, VOXEL_SIZE, B0).susceptibility
        for precision in ("float32", "bfloat16")
    )
    error = relative_error(rough, exact)
    assert 0 < error < 0.03
    with pytest.raises(ValueError, match="precision='float16'"):
        Reconstructor(model, "float16")
    with pytest.raises(TypeError, match="expected a SpiNet-QSM model, got str"):
        Reconstructor("model.keras")


def test_a_result_that_is_not_finite_is_refused():
    broken = SpiNetQSM(filters=4, blocks=1, unrolls=2)
    broken.denoiser.exit.kernel.assign(broken.denoiser.exit.kernel * np.inf)
    with pytest.raises(InputError, match="not finite in unroll 1"):
        Reconstructor(broken)(*scan(), VOXEL_SIZE, B0)


def test_too_large_for_the_memory(model, memory):
    needed = memory_needed((160, 160, 160), model, "float32")
    # The CNN in the smallest tiles is what needs the most for a small volume only.
    paper = SpiNetQSM()
    small = [memory_needed((24, 24, 24), paper, p) for p in ("float32", "bfloat16")]
    assert small[1] < small[0]
    memory.available = needed
    check_memory((160, 160, 160), model, "float32", ALL_MEMORY)
    memory.available -= 1
    with pytest.raises(InputError) as caught:
        check_memory((160, 160, 160), model, "float32", ALL_MEMORY)
    assert "160 x 160 x 160" in str(caught.value)
    # No overflow for absurd sizes.
    assert memory_needed((10**6,) * 3, model, "float32") > 10**18


def test_classical_method():
    field, mask = scan()
    result = reconstruct_classical(tikhonov, field, mask, VOXEL_SIZE, B0)
    kernel = dipole_kernel(field.shape, np.float32([VOXEL_SIZE]), np.float32([B0]))
    np.testing.assert_array_equal(
        result.susceptibility, tikhonov(field, mask, kernel[0].numpy())
    )
    assert 0 < result.data_consistency < 1
    assert result.unrolls == []


def test_a_classical_method_may_return_what_numpy_makes_of_it():
    field, mask = np.ones((6, 5, 4), np.float32), np.ones((6, 5, 4))
    result = reconstruct_classical(
        lambda field, mask, kernel: field * mask, field, mask, (1, 1, 1), (0, 0, 1)
    )
    assert result.susceptibility.dtype == np.float32
    np.testing.assert_array_equal(result.susceptibility, field)


def test_a_classical_map_that_is_not_finite_is_refused():
    field, mask = scan()
    field[mask > 0] = 3e38
    with pytest.raises(InputError, match="field: .* too large, the map is not finite"):
        reconstruct_classical(tikhonov, field, mask, VOXEL_SIZE, B0)


def test_data_consistency_error():
    field = np.array([3.0, 4.0, 100.0])
    mask = np.array([1, 1, 0])
    assert data_consistency_error(0 * field, field, mask) == 0
    assert data_consistency_error(-field, field, mask) == 1
    assert data_consistency_error(np.array([0, 0.5, 9]), field, mask) == (
        pytest.approx(0.1)
    )
    assert data_consistency_error(field, 0 * field, mask) == 0


def test_parts_and_what_is_left_out_equal_the_model(monkeypatch):
    keras.utils.set_random_seed(0)
    model = SpiNetQSM(
        filters=4,
        blocks=1,
        unrolls=2,
        mm_steps=2,
        fill_outside=True,
        adaptive_penalty=True,
        chi_mean=0.02,
    )
    rng = np.random.default_rng(0)
    mask = np.zeros((24, 24, 24), np.float32)
    mask[9:16, 9:15, 8:15] = 1
    field = (0.005 * mask * rng.standard_normal(mask.shape)).astype("float32")
    field[11, 12, 12] = 0.5  # left out, partly for good by the first unroll
    expected = model(
        {
            "local_field": field[np.newaxis, ..., np.newaxis],
            "mask": mask[np.newaxis, ..., np.newaxis],
            "voxel_size": np.ones((1, 3), "float32"),
            "b0_direction": np.array([[0, 0, 1]], "float32"),
        }
    ).numpy()[0, ..., 0]
    monkeypatch.setattr(denoising_plan, "WORTHWHILE", np.inf)
    result = Reconstructor(model)(field, mask, (1, 1, 1), (0, 0, 1))
    np.testing.assert_allclose(
        result.susceptibility, expected, atol=1e-4 * np.abs(expected).max()
    )
    assert result.left_out > 0
