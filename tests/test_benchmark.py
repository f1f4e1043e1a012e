from benchmarks import reconstruct as benchmark
from benchmarks.convolutions import kernel_shapes
from spinet_tf import SpiNetQSM
from spinet_tf.model_files import save_model


def test_floor_has_the_paper_networks_convolutions():
    shapes = kernel_shapes(SpiNetQSM().denoiser)
    assert shapes[0] == (3, 3, 3, 1, 32)
    assert shapes[1:17] == [(3, 3, 3, 32, 32)] * 16
    assert shapes[17:] == [(1, 1, 1, 32, 32)] * 2 + [(1, 1, 1, 32, 1)]


def test_a_measurement(tmp_path):
    model = SpiNetQSM(unrolls=2, filters=4, blocks=1, initial_p=1.5, max_iterations=3)
    save_model(model, tmp_path / "small.keras")
    measured = benchmark.measure(
        benchmark.Configuration(
            16, "bfloat16", str(tmp_path / "small.keras"), None, None
        )
    )
    assert measured.matrix_size == (16, 16, 16)
    assert measured.iterations == [3, 3]
    assert measured.floor > 0
    # The first call traces, the second does not.
    assert 0 < measured.total < measured.first_call
    assert measured.peak_memory > 100
