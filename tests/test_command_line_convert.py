"""`spinet-qsm convert` as its user runs it."""

import pytest

from spinet_tf.model_files import load_model
from tests.command_line import listing, refused, succeed


@pytest.mark.reference
def test_convert(reference_dir, tmp_path):
    flagfile = tmp_path / "convert.flags"
    flagfile.write_text(
        f"# the release\n--checkpoint={reference_dir / 'model_weights.pth'}\n"
        f"--stats={reference_dir / 'tr-stats.mat'}\n"
    )
    path = tmp_path / "release.keras"
    result = succeed("convert", flagfile=flagfile, output=path)
    assert result.out == f"lambda  0.0378\np       1.5838\nwrote {path}\n"
    assert result.err == ""
    model = load_model(path)
    assert (model.channels, model.residual, model.filters) == (2, False, 32)
    assert len(listing(tmp_path)) == 2


@pytest.fixture
def refuse(tmp_path):
    """A `convert` with some flags changed, which must be refused."""
    pytest.importorskip("torch")
    for name in ("weights.pth", "stats.mat"):
        (tmp_path / name).write_text("neither weights nor statistics\n")
    flags = {
        "checkpoint": tmp_path / "weights.pth",
        "stats": tmp_path / "stats.mat",
        "output": tmp_path / "release.keras",
    }

    def refuse(message, **changed):
        refused(tmp_path, message, "convert", **{**flags, **changed})

    return refuse


def test_text_for_a_checkpoint(refuse):
    refuse("weights.pth: not a PyTorch checkpoint of plain tensors")


def test_missing_checkpoint(refuse, tmp_path):
    refuse("none.pth: no such file", checkpoint=tmp_path / "none.pth")


def test_another_checkpoint(refuse, tmp_path):
    import torch

    torch.save({"p": torch.ones(1)}, tmp_path / "other.pth")
    message = "other.pth: not the published .* missing tensors: .* and 81 more"
    refuse(message, checkpoint=tmp_path / "other.pth")


def test_bad_output(refuse, tmp_path):
    message = "release.h5: expected an output file .keras"
    refuse(message, output=tmp_path / "release.h5")
    message = "cannot be written, no folder"
    refuse(message, output=tmp_path / "none" / "release.keras")


@pytest.mark.reference
def test_bad_statistics(refuse, reference_dir, tmp_path):
    checkpoint = reference_dir / "model_weights.pth"
    refuse("stats.mat: cannot be read as a MATLAB file", checkpoint=checkpoint)
    message = "none.mat: no such file"
    refuse(message, checkpoint=checkpoint, stats=tmp_path / "none.mat")
