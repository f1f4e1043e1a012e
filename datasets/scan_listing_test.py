"""A folder of scans is known by the files that scans are read from."""

from datasets.scan_listing import list_scans, only_scans


def test_what_tells_scans_from_others(tmp_path):
    names = {
        *("sub-1.mat", "sub-2.MAT", "sub-1_run-1_localfield.nii", "sub-1_mask.nii.gz"),
        *("sub-1_desc-cosmos_Chimap.nii", "sub-1_desc-local_fieldmap.json"),
        *("sub-1_fieldmap-local.nii.gz", "sub-1_bgmask.nii", "sub-1_mask_QSM.nii"),
    }
    others = {"notes.json", "sub-1.txt", "sub-1_T1w.nii.gz", "sub-1_Chimap.nii.gz"}
    for name in names | others | {"sub-1_Chimap.json", "fieldmap.nii"}:
        (tmp_path / name).write_text("1")
    before = list_scans(tmp_path)
    assert set(before) == names
    (tmp_path / "sub-1.mat").write_text("2")
    after = list_scans(tmp_path)
    assert {name for name in names if before[name] != after[name]} == {"sub-1.mat"}
    assert only_scans(after | dict.fromkeys(others)) == after


def test_sidecars_of_every_level(tmp_path):
    names = {
        *("localfield.json", "desc-local_fieldmap.json", "sub-1/fieldmap-local.json"),
        *("sub-1/anat/acq-a_desc-local_fieldmap.json", "sub-1/sub-1_fieldmap.json"),
        "derivatives/a/dataset_description.json",
    }
    others = ("dataset_description.json", "participants.json", "data/scans.json")
    for name in (*names, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert set(list_scans(tmp_path)) == names


def test_links_are_followed_and_loops_are_not(tmp_path):
    scans, elsewhere = tmp_path / "scans", tmp_path / "elsewhere"
    scans.mkdir()
    elsewhere.mkdir()
    (elsewhere / "sub-1_mask.nii").write_text("1")
    (scans / "sub-1").symlink_to(elsewhere)
    (scans / "sub-2.mat").symlink_to(tmp_path / "nowhere")
    (elsewhere / "up").symlink_to(scans)
    assert set(list_scans(scans)) == {"sub-1/sub-1_mask.nii"}
