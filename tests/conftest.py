import os
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def reference_dir():
    """Folder with the authors' weights and results, which we may not redistribute."""
    default = ROOT.parent / "shared" / "reference"
    folder = Path(os.environ.get("SPINET_REFERENCE_DIR", default))
    if folder.is_dir():
        return folder
    message = (
        f"no reference files in {folder}: put model_weights.pth, tr-stats.mat of the "
        "authors' release, and the golden files, in a folder and set "
        "SPINET_REFERENCE_DIR to it (README, 'Reference files')"
    )
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def released_model_path(reference_dir, tmp_path_factory):
    """The authors' checkpoint as a `.keras` file."""
    from spinet_tf.model_files import save_model
    from spinet_tf.release import convert_release

    path = tmp_path_factory.mktemp("released") / "release.keras"
    model = convert_release(
        reference_dir / "model_weights.pth", reference_dir / "tr-stats.mat"
    )
    save_model(model, path)
    return path


@pytest.fixture(scope="session")
def released_model(released_model_path):
    from spinet_tf.model_files import load_model

    return load_model(released_model_path)


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A small network and the version directory it was exported to."""
    from tests.served import export_small_model

    return export_small_model(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def scan(tmp_path_factory):
    """A folder with a scan, a map and a small network, which tests leave as it is."""
    from tests.command_line import make_scan, write_tikhonov

    folder = make_scan(tmp_path_factory)
    write_tikhonov(folder)
    return folder


@pytest.fixture(scope="module")
def tree(scan, tmp_path_factory):
    """A BIDS dataset; maps of it go beside it."""
    from tests.bids_tree import write_tree

    return write_tree(tmp_path_factory.mktemp("tree") / "raw", scan)


@pytest.fixture
def flags(scan, tmp_path):
    """Flags of a `reconstruct` that would succeed."""
    return {
        "field": scan / "field.nii.gz",
        "mask": scan / "mask.nii.gz",
        "output": tmp_path / "map.nii.gz",
        "method": "tkd",
    }


@pytest.fixture
def network_flags(scan, flags):
    return {**flags, "method": "spinet", "model": scan / "tiny.keras"}


@pytest.fixture
def memory(monkeypatch):
    """What the machine has left; a test sets `memory.available`, in bytes."""
    left = SimpleNamespace(available=None)
    monkeypatch.setattr("psutil.virtual_memory", lambda: left)
    return left


@pytest.fixture
def options():
    """Parses flags of `train.py` in this process, where they are not left behind."""
    from spinet_cli.training_flags import define_flags
    from tests.scripts import defined

    with defined(define_flags) as flags:

        def parse(*words):
            flags(["train.py", "--run_dir=x", *words])
            return flags

        yield parse
