"""`spinet-qsm bids` where it is not clear what belongs together."""

import numpy as np

from tests.bids_tree import bids, put, put_json
from tests.command_line import assert_one_line, mask, read, write_scan


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
