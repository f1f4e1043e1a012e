import subprocess
import sys
import types

import pytest

from benchmarks import reconstruct as benchmark
from benchmarks import reconstruction_times
from benchmarks.convolutions import convolution_chain
from benchmarks.reconstruction_times import Configuration, Run, fastest_run, measure
from benchmarks.scans import simulate_scan
from spinet_tf import SpiNetQSM
from spinet_tf.model_files import save_model
from tests.conftest import ROOT


def test_floor_has_the_paper_networks_convolutions():
    _, kernels = convolution_chain(SpiNetQSM())
    shapes = [tuple(kernel.shape) for kernel in kernels]
    assert shapes[0] == (3, 3, 3, 1, 32)
    assert shapes[1:17] == [(3, 3, 3, 32, 32)] * 16
    assert shapes[17:] == [(1, 1, 1, 32, 32)] * 2 + [(1, 1, 1, 32, 1)]


def test_a_measurement(tmp_path):
    model = SpiNetQSM(unrolls=2, filters=4, blocks=1, initial_p=1.5, max_iterations=3)
    save_model(model, tmp_path / "small.keras")
    scan = simulate_scan(16, tmp_path)
    measured = measure(
        Configuration(
            *scan, "bfloat16", str(tmp_path / "small.keras"), whole_volume=True
        )
    )
    assert measured.matrix_size == (16, 16, 16)
    assert measured.iterations == [3, 3]
    assert measured.floor > 0
    assert measured.files > 0
    # The first call's traces take longer than what they are for.
    assert measured.tracing > measured.total
    assert measured.start_up > 0
    assert measured.total > measured.cnn + measured.solve > 0
    assert min(measured.cnn, measured.solve) > 0
    assert 1e8 < measured.peak_memory < 1e11
    assert measured.share == 1  # too small a volume
    assert 0 <= measured.difference < 1e-2
    assert 0 < measured.whole_cpu < 100 * measured.whole
    assert 0 < measured.cpu < 100 * measured.total
    cells = benchmark.row(measured, "bfloat16")
    assert len(cells) == len(benchmark.HEADER + benchmark.WHOLE_HEADER)
    assert cells[0] == "16 x 16 x 16, bfloat16"


def test_the_fastest_run_counts(monkeypatch):
    seconds = iter((3.0, 1.0, 2.0))

    def run(*_):
        return Run(types.SimpleNamespace(seconds=next(seconds)), 0, 0, 0)

    monkeypatch.setattr(reconstruction_times, "timed_parts", run)
    assert fastest_run(None, None, 3).reconstruction.seconds == 1


def test_sizes_are_not_for_a_field():
    words = ["--field=field.nii", "--mask=mask.nii", "--sizes=32"]
    command = [sys.executable, "-m", "benchmarks.reconstruct", *words]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert "--sizes is of simulated volumes" in line


@pytest.mark.slow
def test_recomputing_the_denoiser_takes_less_memory(tmp_path):
    result = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.training", f"--data_dir={tmp_path}"),
            *("--dataset=qsm_brain/patches_tiny", "--batch_size=4", "--repeats=3"),
            *("--filters=16", "--blocks=8", "--precisions=float32"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if "float32" in line]
    assert [row[2] for row in rows] == ["kept", "recomputed"]
    kept, recomputed = (float(row[-2]) - float(row[-1]) for row in rows)
    assert recomputed < 0.7 * kept
