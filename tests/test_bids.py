"""`spinet-qsm bids`: a dataset in, a derivative that the BIDS validator accepts out."""

import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from spinet_tf import __version__
from tests.bids_tree import (
    BAD,
    GOOD,
    TILTED,
    bids,
    eroded,
    put_json,
    validator_errors,
)
from tests.command_line import (
    PNG,
    SHAPE,
    assert_one_line,
    listing,
    oblique_affine,
    read,
    read_json,
    run_words,
    succeed,
)

REASONS = {
    "sub-05": "no mask for derivatives/fields/sub-05/anat/sub-05_desc-local_fieldmap",
    "sub-06": "sub-06: no local field",
    "sub-07": "sub-07_desc-local_fieldmap.nii.gz: damaged",
}


@pytest.fixture(scope="module")
def derivative(scan, tree):
    """The derivative, and the result of the command."""
    output = tree.parent / "maps"
    return output, bids(tree, output, "--model", scan / "tiny.keras")


def map_path(output, name, end=".nii.gz"):
    folder = Path(*[word for word in name.split("_") if word[:4] in ("sub-", "ses-")])
    return output / folder / "anat" / f"{name}_Chimap{end}"


def test_maps_of_all_that_can_be_used(derivative):
    output, result = derivative
    assert result.exit_code == 1
    found = sorted(path for path in output.rglob("*_Chimap.nii.gz"))
    assert found == sorted(map_path(output, name) for name in GOOD)
    folders = sorted(path.name for path in output.iterdir() if path.is_dir())
    assert folders == ["sub-01", "sub-02", "sub-03", "sub-04"]
    for path in found:
        image = nibabel.load(path)
        assert image.shape == SHAPE
        np.testing.assert_allclose(image.affine, oblique_affine(), atol=1e-5)
        figures = path.parents[1] / "figures"
        stem = path.name.removesuffix(".nii.gz")
        assert (figures / f"{stem}.png").read_bytes().startswith(PNG)


def test_failures_are_named_by_subject(derivative):
    lines = derivative[1].err.splitlines()
    end = lines[lines.index("3 of 8 scans failed:") + 1 :]
    assert [line.split(":")[0].strip() for line in end] == list(BAD)
    for line, subject in zip(end, BAD, strict=True):
        assert REASONS[subject] in line
    assert [line for line in lines if line.startswith("scan 8 of 8: sub-07")]


def test_the_bids_validator_accepts_it(derivative):
    output, _ = derivative
    assert validator_errors(output) == []


def test_the_bids_validator_is_strict(derivative, tmp_path):
    """It finds what a derivative must not be, so that its silence means something."""
    output, _ = derivative
    for path in (map_path(output, "sub-03"), output / "dataset_description.json"):
        copy = tmp_path / path.relative_to(output)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (tmp_path / "sub-03" / "anat" / "sub-03_Chimap.png").touch()
    codes = {issue["code"] for issue in validator_errors(tmp_path)}
    assert {"ALL_FILENAME_RULES_HAVE_ISSUES", "SIDECAR_KEY_REQUIRED"} <= codes


def test_description_and_sidecar(derivative, tree):
    output, _ = derivative
    description = read_json(output / "dataset_description.json")
    assert description["DatasetType"] == "derivative"
    assert description["BIDSVersion"] == "1.10.0"
    made_by = {"Name": "spinet-qsm", "Version": __version__}
    assert description["GeneratedBy"] == [made_by]
    assert description["DatasetLinks"] == {"input": tree.as_uri()}
    content = read_json(map_path(output, "sub-02_ses-a", ".json"))
    folder = "bids:input:derivatives/fields/sub-02/ses-a/anat"
    assert content["Sources"] == [
        f"{folder}/sub-02_ses-a_localfield.nii.gz",
        f"{folder}/sub-02_ses-a_mask.nii.gz",
    ]
    assert (content["Units"], content["FieldUnits"]) == ("ppm", "hz")
    assert content["MagneticFieldStrength"] == 3  # of the nearer of two sidecars
    assert content["SkullStripped"] is True
    assert content["Model"] == "tiny.keras"
    assert None not in content.values()


def test_maps_are_those_of_reconstruct(derivative, scan, tmp_path):
    output, _ = derivative
    flags = {"field": scan / "field.nii.gz", "mask": scan / "mask.nii.gz"}
    flags |= {"model": scan / "tiny.keras", "output": tmp_path / "chi.nii.gz"}
    succeed("reconstruct", **flags)
    plain = read(tmp_path / "chi.nii.gz")
    assert np.abs(plain).max() > 1e-3
    for name in ("sub-02_ses-a", "sub-02_ses-b", "sub-03"):
        np.testing.assert_allclose(read(map_path(output, name)), plain, atol=1e-5)
    succeed("reconstruct", **flags, b0_dir=",".join(map(str, TILTED)))
    tilted = read(tmp_path / "chi.nii.gz")
    np.testing.assert_allclose(
        read(map_path(output, "sub-01_run-01")), tilted, atol=1e-6
    )
    assert np.abs(tilted - plain).max() > 1e-3
    content = read_json(map_path(output, "sub-01_run-01", ".json"))
    assert content["B0Direction"] == pytest.approx(TILTED)


def test_the_eroded_mask_is_used(derivative):
    chi = read(map_path(derivative[0], "sub-04_acq-x_run-1"))
    np.testing.assert_array_equal(chi != 0, eroded())


def test_what_is_done_is_skipped(derivative, scan, tree, monkeypatch):
    output, _ = derivative
    damaged = map_path(output, "sub-03")
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    others = [map_path(output, name) for name in GOOD if name != "sub-03"]
    times = [path.stat().st_mtime_ns for path in others]
    labels = ("--participant-label", "sub-01", "02", "03", "04")
    result = bids(tree, output, *labels, "--model", scan / "tiny.keras")
    assert result.exit_code == 0, result.err
    assert result.err.count(": is done, ") == 4
    assert "but with" not in result.err
    assert "scan 1 of 1: sub-03" in result.err
    assert damaged.read_bytes() == whole or read(damaged).any()
    assert times == [path.stat().st_mtime_ns for path in others]

    def load(*_):
        pytest.fail("there is nothing to do")

    monkeypatch.setattr("spinet_cli.methods.load_model", load)
    words = ("--reference=mean", "--mask-threshold=0.5")
    result = bids(tree, output, *labels, *words)
    assert result.exit_code == 0
    warned = [line for line in result.err.splitlines() if "warning: sub-" in line]
    assert len(warned) == 5
    (line,) = [line for line in warned if "warning: sub-03: is done, " in line]
    for words in (
        "but with Model tiny.keras, not pretrained.keras;",
        " MaskThreshold none, not",
        " Reference none, not mean;",
    ):
        assert words in line
    assert not [word for word in ("Method", "Sources", "Padding") if word in line]


def test_labels_choose_and_reports_are_accepted(tree, tmp_path):
    words = ("--participant-label", "02", "01", "--session-label", "b", "--method=tkd")
    result = bids(f"{tree}/../{tree.name}/", tmp_path / "maps", *words, "--report")
    assert result.exit_code == 0, result.err
    assert "warning: sub-01: has none of the sessions asked for" in result.err
    found = [path.name for path in (tmp_path / "maps").rglob("sub-*_*.*")]
    stem = "sub-02_ses-b_Chimap"
    ends = (".html", ".json", ".nii.gz", ".png")
    assert sorted(found) == [f"{stem}{end}" for end in ends]
    (page,) = (tmp_path / "maps").rglob("*.html")
    assert f"Reconstruction of {stem[:12]}_localfield.nii.gz" in page.read_text()
    assert validator_errors(tmp_path / "maps") == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--participant-label", "99"], "--participant-label: no sub-99 in "),
        (["--session-label", "c"], "--session-label: no ses-c in "),
        (
            ["--participant-label", "05", "--session-label", "b"],
            "--session-label: none of the participants asked for has such a session",
        ),
        (["--participant-label", "06"], "no local field, expected such as sub-01/anat"),
        (["--reference", "csf.nii"], "argument --reference: invalid choice"),
        (["--precision=bfloat16", "--method=tkd"], "--precision, .* method spinet"),
        (["--model", "none.keras"], "none.keras: no such model file"),
        (["--b0-dir", "0,0,1"], "unrecognized arguments: --b0-dir"),
    ],
)
def test_wrong_flags(tree, tmp_path, words, message):
    assert_one_line(bids(tree, tmp_path / "maps", *words), message)
    assert listing(tmp_path) == {}


def test_wrong_folders(tree, tmp_path):
    assert_one_line(bids(tree, tree), "is the input, expected another folder")
    assert_one_line(bids(tmp_path / "none", tmp_path / "maps"), "none: no such folder")
    (tmp_path / "empty").mkdir()
    result = bids(tmp_path / "empty", tmp_path / "maps")
    assert_one_line(result, "empty: no local field, expected such as")
    (tmp_path / "raw").mkdir()
    put_json(tmp_path / "raw" / "dataset_description.json", Name="A", BIDSVersion="1")
    result = bids(tree, tmp_path / "raw", "--method=tkd")
    assert_one_line(result, "raw: expected a folder for a BIDS derivative")
    result = run_words("bids", tree, tmp_path / "maps", "group")
    assert_one_line(result, "argument participant: invalid choice: 'group'")


def test_without_the_library(tree, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ancpbids", None)
    result = bids(tree, tmp_path / "maps", "--method=tkd")
    assert_one_line(result, r"needs ancpbids: pip install 'spinet-tf\[bids\]'")
    assert listing(tmp_path) == {}
