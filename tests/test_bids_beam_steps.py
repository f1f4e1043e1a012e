"""The steps of the Beam pipeline of `spinet-qsm bids --runner`, each by itself."""

import warnings
from types import SimpleNamespace

import pytest

from spinet_cli import bids_beam
from spinet_tf.errors import InputError
from tests.command_line import listing


def test_precision_of_an_export_for_the_run(monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(bids_beam, "load_model", lambda path: path)
    monkeypatch.setattr(bids_beam, "newest_version", lambda base: base)
    monkeypatch.setattr(
        bids_beam, "export_saved_model", lambda *options: given.append(options)
    )
    flags = SimpleNamespace(saved_model=None, model="a/m.keras", precision="bfloat16")
    assert bids_beam.prepare_saved_model(flags)(tmp_path) == tmp_path / "m.keras"
    assert given == [("a/m.keras", tmp_path / "m.keras", "bfloat16")]


def test_a_worker_knows_the_models_dipole_at_zero_and_its_iterates(monkeypatch):
    monkeypatch.setattr(bids_beam, "SavedModelReconstructor", lambda *given: given)
    monkeypatch.setattr(bids_beam, "solve_scan", lambda *given: given)
    handler = bids_beam._Handler("folder", True, {"DipoleAtZero": 1 / 3})
    assert handler.load_model() == ("folder", True)
    scan = bids_beam.PlannedScan("sub-1", task="task")
    element = bids_beam.Element(scan, scan="scan")
    (solved,) = handler.run_inference([element], "model")
    assert solved.result == ("task", "model", "scan", 1 / 3)


def test_a_scan_that_fails_in_a_worker_is_told(monkeypatch):
    scan = bids_beam.PlannedScan("sub-1", problem="no local field")
    element = bids_beam.Element(scan)
    assert bids_beam._read(element).problem == "no local field"

    def fail(_):
        raise MemoryError

    assert "not enough memory" in bids_beam._step(element, fail).problem


def test_warnings_of_reading_are_in_a_workers_report(monkeypatch):
    told = []
    monkeypatch.setattr(bids_beam, "write_scan", lambda *given: told.extend(given[4]))
    scan = bids_beam.PlannedScan("sub-1")
    element = bids_beam.Element(scan, messages=("1 voxel is NaN", "B0 is assumed"))
    assert bids_beam._write(element, {}) == bids_beam.Element(scan)
    assert told == ["1 voxel is NaN", "B0 is assumed"]


def test_warnings_of_reading_go_on_with_the_scan(monkeypatch):
    def read_scan(_):
        warnings.warn("1 voxel", stacklevel=1)

    monkeypatch.setattr(bids_beam, "read_scan", read_scan)
    files = SimpleNamespace(make_folders=lambda: None)
    element = bids_beam.Element(bids_beam.PlannedScan("sub-1", files))
    with pytest.warns(UserWarning, match="1 voxel"):
        assert bids_beam._read(element).messages == ("1 voxel",)


def test_what_workers_share_is_in_the_dataset_and_goes(tmp_path):
    def saved_model(folder):
        assert folder.parent == tmp_path
        raise InputError("cannot be written")

    with pytest.raises(InputError, match="cannot be written"):
        bids_beam.run_on_beam([], saved_model, False, None, tmp_path)
    assert listing(tmp_path) == {}


def test_maps_of_a_saved_model_are_known_again():
    from spinet_cli.bids_settings import other_settings
    from spinet_cli.scan_task import ScanTask
    from spinet_tf.field_units import FieldUnits

    flags = SimpleNamespace(
        **{"method": "spinet", "keep_slices": False, "model": None, "pad": 0.0},
        **{"reference": "none", "mask_threshold": None, "precision": "float32"},
        **{"server": None, "saved_model": "served/mine"},
    )
    units, bids = FieldUnits("ppm"), {"Sources": []}
    task = ScanTask(flags, "field", "mask", "map", "picture", units, bids=bids)
    sidecar = {
        **{"Method": "spinet", "Model": "mine", "Padding": 0.0, "Sources": []},
        **{"Reference": "none", "FieldUnits": "ppm"},
    }
    assert other_settings(SimpleNamespace(task=task), flags, sidecar) == []
