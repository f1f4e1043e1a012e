"""`spinet-qsm bids` into a dataset that it has written to."""

from types import SimpleNamespace

import numpy as np
import pytest

from spinet_cli.bids_dataset import MapFiles
from spinet_cli.bids_settings import _same_direction, other_settings
from spinet_cli.scan_task import ScanTask
from spinet_tf.field_units import FieldUnits
from tests.bids_tree import TILTED, bids, put, put_json
from tests.command_line import assert_one_line, mask, read_json, susceptibility


def scan_and_flags(**changed):
    """A scan of a dataset, and the flags it is reconstructed with."""
    flags = {
        **{"method": "spinet", "keep_slices": False, "model": None, "pad": 0.0},
        **{"reference": "none", "mask_threshold": None, "precision": "float32"},
        **{"server": None, "saved_model": None, "model_name": "spinet_qsm", **changed},
    }
    flags = SimpleNamespace(**flags)
    paths, bids = ("field", "mask", "map", "picture"), {"Sources": ["bids:input:a"]}
    task = ScanTask(flags, *paths, FieldUnits("rad", 3.0, 0.02), bids=bids)
    return SimpleNamespace(task=task), flags


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("Method", "tkd"),
        ("Model", "other.keras"),
        ("Precision", "bfloat16"),
        ("Padding", 20.0),
        ("Reference", "mean"),
        ("MaskThreshold", 0.5),
        ("Sources", ["bids:input:x", "bids:input:y"]),
        ("FieldUnits", "hz"),
        ("MagneticFieldStrength", 7.0),
        ("EchoTime", 0.04),
    ],
)
@pytest.mark.parametrize("server", [None, "host:8500"])
def test_each_setting_that_is_another_is_told(key, other, server):
    scan, flags = scan_and_flags(server=server)
    sidecar = {
        **{"Method": "spinet", "Padding": 0.0, "Reference": "none"},
        **{"Sources": ["bids:input:a"], "FieldUnits": "rad", "EchoTime": 0.02},
        **{"MagneticFieldStrength": 3.0, "VoxelSize": [1, 1, 1]},
        "Model": "spinet_qsm" if server else "pretrained.keras",
    }
    if not server:
        sidecar["Precision"] = "float32"
    assert other_settings(scan, flags, sidecar) == []
    found = other_settings(scan, flags, {**sidecar, key: other})
    # A server's precision is not known.
    assert len(found) == (0 if server and key == "Precision" else 1)
    assert all(line.startswith(f"{key} ") for line in found)


@pytest.mark.parametrize(
    ("keep", "sidecar", "doubt"),
    [
        (False, {"VoxelSize": [1, 1, 3], "VoxelParts": [1, 1, 3]}, ""),
        (False, {"VoxelSize": [1, 1, 1]}, ""),
        (True, {"VoxelSize": [1, 1, 3]}, ""),
        (False, {}, ""),
        (False, {"VoxelSize": [0, "a"]}, ""),
        (False, {"VoxelSize": [1, 1, 3]}, "VoxelParts none, not 1 and 1 and 3"),
        (
            *(True, {"VoxelSize": [1, 1, 3], "VoxelParts": [1, 1, 3]}),
            "VoxelParts 1 and 1 and 3, not none",
        ),
    ],
)
def test_a_map_of_other_slices_is_told(keep, sidecar, doubt):
    found = other_settings(*scan_and_flags(keep_slices=keep), sidecar)
    assert [line for line in found if "VoxelParts" in line] == [doubt] * bool(doubt)


@pytest.fixture
def small_tree(tmp_path):
    """A dataset of two subjects, and where its maps go."""
    for subject in ("sub-1", "sub-2"):
        folder = tmp_path / "tree" / subject / "anat"
        put(folder / f"{subject}_localfield.nii", susceptibility())
        put(folder / f"{subject}_mask.nii", mask().astype(np.uint8))
    return tmp_path / "tree", tmp_path / "maps"


def test_a_missing_file_is_written_anew(small_tree):
    tree, maps = small_tree
    words = ("--method=tkd", "--participant-label", "1")
    assert bids(tree, maps, *words).exit_code == 0
    (maps / "README").write_text("mine")
    picture = maps / "sub-1" / "figures" / "sub-1_Chimap.png"
    report = picture.with_suffix(".html")
    for missing, more in ((picture, ()), (report, ("--report",))):
        missing.unlink(missing_ok=True)
        result = bids(tree, maps, *words, *more)
        assert (result.exit_code, missing.exists()) == (0, True)
    assert (maps / "README").read_text() == "mine"


def test_an_interrupt_leaves_no_empty_folders(small_tree, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("spinet_cli.bids.reconstruct_scan", interrupt)
    tree, maps = small_tree
    assert bids(tree, maps, "--method=tkd").exit_code == 130
    assert not [path for path in maps.iterdir() if path.is_dir()]


def test_a_map_of_another_method_is_left_though_a_report_is_missing(small_tree):
    tree, maps = small_tree
    label = ("--participant-label", "1")
    assert bids(tree, maps, "--method=tkd", *label).exit_code == 0
    path = maps / "sub-1" / "anat" / "sub-1_Chimap.nii.gz"
    before = path.read_bytes()
    result = bids(tree, maps, "--method=tikhonov", *label, "--report")
    assert result.exit_code == 0
    assert "is done" in result.err and "Method tkd, not tikhonov" in result.err
    assert path.read_bytes() == before


def test_a_b0_direction_that_was_mended_is_told(small_tree):
    tree, maps = small_tree
    words = ("--method=tkd", "--participant-label", "1")
    assert bids(tree, maps, *words).exit_code == 0
    put_json(tree / "sub-1" / "anat" / "sub-1_localfield.json", B0Direction=TILTED)
    result = bids(tree, maps, *words)
    assert "B0Direction" in result.err and "not 0.0 and 0.6 and 0.8" in result.err
    for path in maps.rglob("sub-1_*"):
        path.unlink()
    assert bids(tree, maps, *words).exit_code == 0
    assert "but with" not in bids(tree, maps, *words).err


def test_maps_of_another_dataset_are_not_taken_for_this_ones(small_tree):
    tree, maps = small_tree
    assert bids(tree, maps, "--method=tkd").exit_code == 0
    moved = tree.rename(tree.with_name("moved"))
    result = bids(moved, maps, "--method=tkd")
    assert_one_line(result, f"is not the derivative of {moved}, its ")
    assert tree.as_uri() in result.err
    (maps / "dataset_description.json").unlink()
    assert bids(moved, maps, "--method=tkd").exit_code == 0
    # That of another program has no such link.
    put_json(maps / "dataset_description.json", DatasetType="derivative")
    assert_one_line(bids(moved, maps, "--method=tkd"), "has no input; take another")


def test_an_output_with_a_name_that_is_too_long(small_tree):
    tree, maps = small_tree
    result = bids(tree, maps.with_name("n" * 300), "--method=tkd")
    assert_one_line(result, "File name too long")


def test_a_field_in_ppm_for_want_of_a_unit_takes_no_flags_of_others(small_tree):
    tree, maps = small_tree
    put_json(tree / "sub-2" / "anat" / "sub-2_localfield.json", Units="ppm")
    result = bids(tree, maps, "--method=tkd", "--b0=3", "--te=0.02")
    assert result.exit_code == 1
    (line,) = [line for line in result.err.splitlines() if line.startswith("  sub-")]
    assert "sub-1_localfield.nii: names no Units, and --b0 and --te are not" in line
    assert (maps / "sub-2" / "anat" / "sub-2_Chimap.nii.gz").exists()


def test_folders_that_another_process_has_removed_or_filled(tmp_path):
    folders = [tmp_path / "sub-1" / "ses-1" / name for name in ("anat", "figures")]
    files = MapFiles(*(folder / "file" for folder in (*folders, folders[1])))
    files.remove_empty_folders(tmp_path)
    files.make_folders()
    (tmp_path / "sub-1" / "other").touch()
    files.remove_empty_folders(tmp_path)
    assert [path.name for path in (tmp_path / "sub-1").iterdir()] == ["other"]


def test_a_description_that_was_edited_stays(small_tree):
    tree, maps = small_tree
    words = ("--method=tkd", "--participant-label")
    assert bids(tree, maps, *words, "1").exit_code == 0
    path = maps / "dataset_description.json"
    put_json(path, **{**read_json(path), "Name": "mine"})
    assert bids(tree, maps, *words, "1").exit_code == 0
    assert read_json(path)["Name"] == "mine"


def test_a_map_that_is_done_needs_its_mask_no_more(small_tree):
    tree, maps = small_tree
    words = ("--method=tkd", "--participant-label", "1")
    assert bids(tree, maps, *words).exit_code == 0
    (path,) = (tree / "sub-1").rglob("*mask.nii*")
    path.unlink()
    result = bids(tree, maps, *words)
    assert (result.exit_code, "sub-1: is done" in result.err) == (0, True)
    assert "but with" not in result.err
    result = bids(tree, maps, "--method=tikhonov", *words[1:])
    assert "but with Method tkd, not tikhonov\n" in result.err


@pytest.mark.parametrize(("y", "told"), [(1e-7, False), (0.01, True)])
def test_how_near_a_b0_direction_is_the_same(y, told):
    found = [0.0, y, 1.0]
    same = _same_direction({"B0Direction": found}, (0.0, 0.0, 1.0))
    assert (same != found) == told
