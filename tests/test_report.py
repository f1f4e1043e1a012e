"""`--report`: a web page that shows the work and needs nothing from elsewhere."""

import builtins
import os
import re
import shutil

import numpy as np
import pytest

from spinet_tf.nifti import read_volume
from spinet_tf.reconstruction import Reconstruction
from spinet_tf.report import reconstruction_sections
from tests.browser import (
    click_shows_other_slices,
    look_at,
    needs_chromium,
)
from tests.command_line import (
    SHAPE,
    listing,
    make_scan,
    mask,
    read,
    read_json,
    refused,
    succeed,
    susceptibility,
    write,
)
from tests.web_page import HOSTILE, open_page


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = make_scan(tmp_path_factory)
    shutil.copy(folder / "field.nii.gz", folder / HOSTILE)
    return folder


@pytest.fixture(scope="module")
def reconstructed(scan):
    """A report of a reconstruction from a file with a hostile name."""
    field = read(scan / "field.nii.gz")
    field[0, 0, 0] = np.nan
    write(scan / HOSTILE, field)
    succeed(
        "reconstruct",
        field=scan / HOSTILE,
        mask=scan / "mask.nii.gz",
        model=scan / "tiny.keras",
        reference="mean",
        output=scan / "map.nii.gz",
        report=scan / "map.html",
    )
    return open_page(scan / "map.html")


def test_report_of_a_reconstruction(scan, reconstructed):
    page, sidecar = reconstructed, read_json(scan / "map.json")
    assert page.headings == [
        "Summary",
        "Susceptibility",
        "Field and residual",
        "Unrolls",
        "Histogram",
        "Warnings",
        "Provenance",
    ]
    assert page.row("Lambda") == [f"{sidecar['Lambda']:.6g}"]
    assert page.row("ReferenceValue") == [f"{sidecar['ReferenceValue']:.6g}"]
    for k in (1, 2):
        lambda_, p, iterations, residual, _ = page.row(str(k))
        assert (float(lambda_), float(p)) == pytest.approx((0.5, 1.5), rel=1e-4)
        assert int(iterations) == sidecar["SolverIterations"][k - 1]
        assert residual == f"{sidecar['SolverResidual'][k - 1]:.1e}"
    assert "1 voxels outside the mask are NaN or infinite" in page.text
    assert page.row("tensorflow")[0].startswith("2.")
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00", page.row("made")[0])
    assert page.row("--reference") == ["mean"]
    assert page.row("--precision") == ["float32"]
    mask_path = str(scan / "mask.nii.gz")
    size = (scan / "mask.nii.gz").stat().st_size
    assert page.row(mask_path) == [mask_path, str(size)]
    assert (len(page.frames), len(page.sources)) == (1, 5)


def test_the_norm_told_is_that_of_the_residual_shown(scan):
    """Of thick slices the result tells another, when a server has solved them."""
    field = read_volume(scan / "field.nii.gz")
    residual = 0.25 * field.data * mask()
    result = Reconstruction(susceptibility(), 0.9, [], 1.0)
    sections = reconstruction_sections(
        field, mask(), field.voxel_size, result, residual, {}
    )
    told = sections["Field and residual"][0].text
    assert "over that of the field is 0.2500." in told


def test_hostile_names_are_text(scan, reconstructed):
    assert f"Reconstruction of {HOSTILE}" in reconstructed.text
    assert reconstructed.row("--field") == [str(scan / HOSTILE)]
    assert "<script>alert" not in (scan / "map.html").read_text()


def test_report_of_a_classical_method(scan, tmp_path):
    flags = {"field": scan / "field.nii.gz", "mask": scan / "mask.nii.gz"}
    path = tmp_path / "tkd.html"
    succeed(
        "reconstruct", **flags, method="tkd", output=tmp_path / "t.nii", report=path
    )
    page = open_page(path)
    assert "Unrolls" not in page.headings
    assert "None." in page.text


@pytest.fixture(scope="module")
def evaluated(scan):
    labels = np.zeros(SHAPE, np.int16)
    labels[:9], labels[9:] = 8, 9
    write(scan / "labels.nii", labels)
    noise = np.random.default_rng(0).normal(0, 0.01, SHAPE)
    chi = (susceptibility() + noise * mask()).astype(np.float32)
    write(scan / f"chi{HOSTILE}", chi)
    result = succeed(
        "evaluate",
        reconstruction=scan / f"chi{HOSTILE}",
        reference=scan / "chi.nii.gz",
        mask=scan / "mask.nii.gz",
        segmentation=scan / "labels.nii",
        output_dir=scan / "scores",
        report=scan / "scores.html",
    )
    assert result.out.endswith(f"wrote {scan / 'scores.html'}\n")
    return open_page(scan / "scores.html")


def test_report_of_an_evaluation(scan, evaluated):
    page, scores = evaluated, read_json(scan / "scores" / "metrics.json")
    assert page.headings == [
        "Metrics",
        "Maps",
        "Slices",
        "Histograms",
        "Regions",
        "Warnings",
        "Provenance",
    ]
    assert page.row("RMSE [%] ↓") == [f"{scores['release']['rmse']:.2f}"]
    assert page.row("XSIM ↑") == [f"{scores['challenge']['xsim']:.4f}"]
    white, grey = scores["regions"]
    voxels, reference, found = page.row("white matter")
    assert int(voxels) == white["voxels"]
    assert reference.startswith(f"{white['reference_mean']:.4f} ± ")
    assert found.startswith(f"{white['reconstruction_mean']:.4f} ± ")
    change = white["reconstruction_mean"] - white["reference_mean"]
    difference = re.search(r"\(([-+][0-9.]+)\)$", found)[1]
    assert float(difference) == pytest.approx(change, abs=1e-4)
    assert int(page.row("grey matter")[0]) == grey["voxels"]
    assert f"Evaluation of chi{HOSTILE}" in page.text
    assert (len(page.frames), len(page.sources)) == (3, 3)


def test_report_without_a_folder_or_a_segmentation(scan, tmp_path):
    maps = {"reconstruction": scan / "chi.nii.gz", "reference": scan / "chi.nii.gz"}
    path = tmp_path / "same.html"
    succeed("evaluate", **maps, mask=scan / "mask.nii.gz", report=path)
    page = open_page(path)
    assert "Regions" not in page.headings
    assert page.row("RMSE [%] ↓") == ["0.00"]
    assert list(listing(tmp_path)) == [path]


def test_without_nilearn_a_note_takes_the_viewers_place(scan, tmp_path, monkeypatch):
    import_module = builtins.__import__

    def fail(name, *args, **kwargs):
        if name.startswith("nilearn"):
            raise ImportError(name)
        return import_module(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fail)
    maps = {"reconstruction": scan / "chi.nii.gz", "reference": scan / "chi.nii.gz"}
    path = tmp_path / "same.html"
    succeed("evaluate", **maps, mask=scan / "mask.nii.gz", report=path)
    page = open_page(path)
    assert page.frames == []
    assert "The viewer of slices needs nilearn" in page.text


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ("report.pdf", "report.pdf: expected a report .html"),
        ("report", "report: expected a report .html"),
        ("none/report.html", "none/report.html: cannot be written, no folder"),
        ("folder.html", "folder.html: cannot be written, it is a folder"),
    ],
)
@pytest.mark.parametrize("subcommand", ["reconstruct", "evaluate"])
def test_a_report_that_cannot_be_written(scan, tmp_path, subcommand, report, message):
    (tmp_path / "folder.html").mkdir()
    flags = {"mask": scan / "mask.nii.gz", "report": tmp_path / report}
    if subcommand == "reconstruct":
        flags |= {"field": scan / "field.nii.gz", "output": tmp_path / "map.nii"}
        flags |= {"method": "tkd"}
    else:
        flags |= {"reconstruction": scan / "chi.nii.gz"}
        flags |= {"reference": scan / "chi.nii.gz", "output_dir": tmp_path / "scores"}
    refused(tmp_path, message, subcommand, **flags)


def test_a_full_disk_leaves_nothing(scan, tmp_path, monkeypatch):
    def fail_halfway(path, *_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    for module in ("reconstruction_files", "evaluate"):
        monkeypatch.setattr(f"spinet_cli.{module}.write_page", fail_halfway)
    flags = {"mask": scan / "mask.nii.gz", "report": tmp_path / "report.html"}
    message = "report.html: cannot be written, No space left on device"
    maps = {"reconstruction": scan / "chi.nii.gz", "reference": scan / "chi.nii.gz"}
    refused(tmp_path, message, "evaluate", **flags, **maps, output_dir=tmp_path / "s")
    flags |= {"field": scan / "field.nii.gz", "output": tmp_path / "map.nii"}
    refused(tmp_path, message, "reconstruct", **flags, method="tkd")


def test_a_name_that_is_no_text(scan, tmp_path):
    """Nor one to show alone, nor among others in pictures."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/chi\xff.nii.gz")
    shutil.copy(scan / "chi.nii.gz", path)
    maps = {"reconstruction": path, "reference": path, "mask": scan / "mask.nii.gz"}
    succeed("evaluate", **maps, report=tmp_path / "report.html")
    assert "Evaluation of chi?.nii.gz" in open_page(tmp_path / "report.html").text
    maps["reconstruction"] = [path, scan / "chi.nii.gz"]
    succeed("evaluate", **maps, report=tmp_path / "report.html", output_dir=tmp_path)


@needs_chromium
@pytest.mark.parametrize("name", ["map.html", "scores.html"])
def test_in_a_browser(scan, reconstructed, evaluated, tmp_path, name):
    """The viewers draw, and nothing is refused or fails."""
    look_at(scan / name, tmp_path, viewers=1 if name == "map.html" else 3)


@needs_chromium
def test_a_click_shows_other_slices(scan, reconstructed, tmp_path):
    (frame,) = open_page(scan / "map.html").frames
    assert click_shows_other_slices(frame, tmp_path)
