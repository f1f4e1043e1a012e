"""`spinet-qsm bids` where it is not clear what belongs together."""

import numpy as np
import pytest

from tests.bids_tree import bids, put, put_json
from tests.command_line import assert_one_line, mask, read, read_json, write_scan


def test_files_in_doubt(tmp_path):
    """Each is told of by its subject; none is guessed."""
    write_scan(tmp_path)
    field, brain = read(tmp_path / "field.nii.gz"), mask().astype(np.uint8)
    tree = tmp_path / "tree"
    for subject in ("sub-1", "sub-2", "sub-3", "sub-4"):
        put(tree / subject / "anat" / f"{subject}_localfield.nii", field)
        put(tree / subject / "anat" / f"{subject}_mask.nii", brain)
    put(tree / "sub-1" / "anat" / "sub-1_mask.nii.gz", brain)
    put(tree / "other" / "sub-2" / "anat" / "sub-2_desc-local_fieldmap.nii", field)
    put(tree / "sub-3" / "anat" / "sub-3_mask.nii", brain[:-1])
    put_json(tree / "sub-4" / "anat" / "sub-4_localfield.json", Units="rad/s")
    put(tree / "sub-4" / "anat" / "sub-4-5_localfield.nii", field)  # no BIDS name
    (tree / "sub-1" / "up").symlink_to("..")
    result = bids(tree, tmp_path / "maps", "--method=tkd")
    assert result.exit_code == 1
    *_, first, second, third, fourth = result.err.splitlines()
    assert (
        "sub-1/anat/sub-1_mask.nii and sub-1/anat/sub-1_mask.nii.gz belong to" in first
    )
    assert "sub-2: several local fields for one map: other/sub-2" in second
    assert "sub-3: " in third
    assert "sub-3_mask.nii: shape (17, 21, 16) differs" in third
    assert "sub-4_localfield.json: units: expected one of ppm, hz, rad" in fourth
    assert not list((tmp_path / "maps").glob("sub-*"))


def test_folders_that_are_no_subjects(tmp_path):
    """FreeSurfer's of sessions, and what is called sub- anywhere else."""
    write_scan(tmp_path)
    tree = tmp_path / "tree"
    anat = tree / "sub-1" / "ses-1" / "anat"
    put(anat / "sub-1_ses-1_localfield.nii", read(tmp_path / "field.nii.gz"))
    put(anat / "sub-1_ses-1_mask.nii", mask().astype(np.uint8))
    (anat / "sub-1_ses-1_T1w.ica").mkdir()
    for folder in ("derivatives/freesurfer/sub-1_ses-1", "code/sub-test"):
        (tree / folder).mkdir(parents=True)
    assert bids(tree, tmp_path / "maps", "--method=tkd").exit_code == 0
    (tree / "derivatives" / "fields" / "sub-2").mkdir(parents=True)
    (tree / "sub-1 old").mkdir()
    result = bids(tree, tmp_path / "maps", "--method=tkd")
    assert result.exit_code == 1
    assert "sub-2: no local field" in result.err
    assert "sub-1 old: no local field" in result.err


def test_a_folder_that_is_a_link_to_itself(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    (tmp_path / "tree").mkdir()
    message = "loop: no such folder"
    assert_one_line(bids(loop, tmp_path / "maps"), message)
    result = bids(tmp_path / "tree", loop, "--method=tkd")
    assert (result.exit_code, "Traceback" in result.err) == (2, False)


def one_scan(tmp_path):
    write_scan(tmp_path)
    anat = tmp_path / "tree" / "sub-1" / "anat"
    put(anat / "sub-1_localfield.nii", read(tmp_path / "field.nii.gz"))
    put(anat / "sub-1_mask.nii", mask().astype(np.uint8))
    return tmp_path / "tree"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--b0=300", "--b0: expected 0.01 to 25 Tesla, got 300"),
        ("--te=nan", "--te: expected 1e-05 to 1 seconds, got nan"),
        ("--mask-threshold=nan", "--mask-threshold: expected a finite number, got nan"),
    ],
)
def test_wrong_flags_are_no_fault_of_the_scans(tmp_path, word, message):
    tree, output = one_scan(tmp_path), tmp_path / "maps"
    words = ("--method=tkd", "--field-units=rad", "--b0=3", "--te=0.02", word)
    assert_one_line(bids(tree, output, *words), message)
    assert not output.exists()


@pytest.mark.parametrize("place", [".", "derivatives/x"])
def test_a_damaged_description_is_named(tmp_path, place):
    path = one_scan(tmp_path) / place / "dataset_description.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{x")
    result = bids(tmp_path / "tree", tmp_path / "maps", "--method=tkd")
    assert_one_line(result, f"{place}/dataset_description.json: ".removeprefix("./"))


def test_the_field_strength_of_a_field_in_ppm_is_kept(tmp_path):
    tree = one_scan(tmp_path)
    sidecar = tree / "sub-1" / "anat" / "sub-1_localfield.json"
    put_json(sidecar, Units="ppm", MagneticFieldStrength=7)
    assert bids(tree, tmp_path / "maps", "--method=tkd").exit_code == 0
    (path,) = (tmp_path / "maps").rglob("*_Chimap.json")
    assert read_json(path)["MagneticFieldStrength"] == 7


def test_a_sidecar_that_does_not_count_is_told_in_the_report(tmp_path):
    write_scan(tmp_path)
    tree, maps = tmp_path / "tree", tmp_path / "maps"
    fields = tree / "derivatives" / "fields"
    anat = fields / "sub-1" / "anat"
    put(anat / "sub-1_localfield.nii", read(tmp_path / "field.nii.gz"))
    put(anat / "sub-1_mask.nii", mask().astype(np.uint8))
    put_json(tree / "localfield.json", Units="rad")
    put_json(fields / "dataset_description.json", Name="Fields", BIDSVersion="1.10.0")
    result = bids(tree, maps, "--method=tkd", "--report")
    told = "localfield.json: does not count in derivatives/fields, which is a dataset"
    assert result.exit_code == 0 and result.err.count(told) == 1
    (report,) = maps.rglob("*.html")
    assert report.read_text().count(told) == 1
