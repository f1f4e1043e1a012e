import importlib.util
import sys

from spinet_tf import SpiNetQSM
from spinet_tf.model_files import save_model
from tests.conftest import ROOT


def load_benchmark(monkeypatch):
    path = ROOT / "benchmarks" / "reconstruct.py"
    spec = importlib.util.spec_from_file_location("reconstruct_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_floor_has_the_paper_networks_convolutions(monkeypatch):
    benchmark = load_benchmark(monkeypatch)
    shapes = benchmark.kernel_shapes(SpiNetQSM().denoiser)
    assert shapes[0] == (3, 3, 3, 1, 32)
    assert shapes[1:17] == [(3, 3, 3, 32, 32)] * 16
    assert shapes[17:] == [(1, 1, 1, 32, 32)] * 2 + [(1, 1, 1, 32, 1)]


def test_a_measurement(monkeypatch, tmp_path):
    benchmark = load_benchmark(monkeypatch)
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
