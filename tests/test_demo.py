import json

import pytest
from matplotlib.image import imread

from spinet_cli import demo

MATRIX_SIZE = (32, 36, 28)


def run_demo(tmp_path, capsys):
    demo.run(tmp_path / "new" / "demo", MATRIX_SIZE)
    folder = tmp_path / "new" / "demo"
    assert sorted(path.name for path in folder.iterdir()) == [
        "metrics.json",
        "reconstruction.png",
    ]
    metrics = json.loads((folder / "metrics.json").read_text())
    picture = imread(folder / "reconstruction.png")
    output = capsys.readouterr().out
    assert str(folder / "reconstruction.png") in output
    return metrics, picture, output


def test_demo_without_the_release(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SPINET_REFERENCE_DIR", str(tmp_path))
    metrics, picture, output = run_demo(tmp_path, capsys)
    assert list(metrics) == ["TKD", "Tikhonov", "SpiNet-QSM"]
    assert f"Without the authors' network: {tmp_path / 'model_weights.pth'}" in output
    for method, families in metrics.items():
        assert method in output
        # An empty map has 100 %, the truth 0.
        assert 0 < families["challenge"]["nrmse"] < 60
        assert families["challenge"]["nrmse_dgm"] is not None
    assert picture[..., :3].std(axis=(0, 1)).min() > 0.05


@pytest.mark.reference
def test_demo_with_the_released_network(tmp_path, capsys, monkeypatch, reference_dir):
    monkeypatch.setenv("SPINET_REFERENCE_DIR", str(reference_dir))
    metrics, _, output = run_demo(tmp_path, capsys)
    assert list(metrics) == ["TKD", "Tikhonov", "SpiNet-QSM", "release"]
    assert "Without" not in output
    # On so coarse a head it does not beat TKD, but is far from an empty map's 100 %.
    assert 0 < metrics["release"]["challenge"]["nrmse"] < 80
    assert metrics["release"]["challenge"]["correlation"] > 0.7
