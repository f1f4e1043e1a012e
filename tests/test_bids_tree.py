"""Which files of a BIDS dataset belong together."""

import contextlib
import json
from types import SimpleNamespace

import pytest


def tree_of(folder, *names, **sidecars):
    """A `BidsTree` of empty files, and of JSON files by their place in the folder."""
    from spinet_tf.bids import BidsTree

    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    for name, content in sidecars.items():
        path = folder / (name.replace("__", "/") + ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return BidsTree(folder)


def test_entities_of_a_maps_name(tmp_path):
    name = "sub-1_ses-2_task-a_acq-b_ce-c_rec-d_run-1_space-e_chunk-2_res-f"
    (field,) = tree_of(tmp_path, f"sub-1/{name}_desc-local_fieldmap.nii").local_fields
    assert field.map_name == name
    (field,) = tree_of(
        tmp_path / "b", "sub-1_acq-b_task-a_echo-1_localfield.nii"
    ).local_fields
    assert field.map_name == "sub-1_task-a_acq-b"


@pytest.mark.parametrize(
    ("masks", "first"),
    [
        (("a/sub-1_mask.nii", "b/sub-1_run-1_mask.nii"), 0),
        (("a/sub-1_mask.nii", "a/sub-1_run-1_mask.nii"), 1),
        (("a/sub-1_mask.nii", "a/sub-1_desc-brain_mask.nii"), 1),
        (("a/sub-1_run-1_mask.nii", "a/sub-1_desc-brain_mask.nii"), 0),
        (("a/sub-1_mask.nii", "b/sub-1_run-1_bgmask.nii"), 0),
        (("a/sub-1_desc-brain_mask.nii", "a/sub-1_bgmask.nii"), 1),
        (("a/sub-1_mask.nii", "a/sub-1_run-2_mask.nii"), 0),
        (("a/sub-1_mask.nii", "a/sub-1_run-1_mask_QSM.nii"), 1),
        (("a/sub-1_run-1_mask_localfield.nii", "a/sub-1_run-1_mask_QSM.nii"), 1),
        (("a/sub-1_mask.nii", "b/sub-1_run-1_mask_QSM.nii"), 0),
    ],
)
def test_which_mask_goes_first(tmp_path, masks, first):
    tree = tree_of(tmp_path, "a/sub-1_run-1_localfield.nii", *masks)
    (field,) = tree.local_fields
    assert tree.mask_of(field) == tree.folder / masks[first]


@pytest.mark.parametrize(
    ("masks", "told"),
    [
        (["sub-1/sub-1_run-1_echo-1_mask.nii"], ": sub-1_run-1_echo-1_mask.nii"),
        (["sub-1/sub-1_brain_mask.nii"], ": sub-1_brain_mask.nii"),
        (["sub-1/Mask.nii.gz"], ": Mask.nii.gz"),
        (
            [f"sub-1_mask_{letter}.nii" for letter in "dbca"],
            ": sub-1_mask_a.nii, sub-1_mask_b.nii, sub-1_mask_c.nii",
        ),
        (["sub-2/sub-2_mask.nii", "sub-1/sub-1_mask.json", "sub-10_mask.nii"], ""),
        (["sub-1/sub-2/Mask.nii"], ""),
    ],
)
def test_masks_that_are_not_taken_are_named(tmp_path, masks, told):
    from spinet_tf.errors import InputError

    tree = tree_of(tmp_path, "sub-1/sub-1_run-1_localfield.nii", *masks)
    (field,) = tree.local_fields
    with pytest.raises(InputError) as caught:
        tree.mask_of(field)
    assert str(caught.value).partition("; not taken")[2] == told


def test_which_sidecar_goes_first(tmp_path):
    tree = tree_of(
        tmp_path,
        "sub-1/anat/sub-1_run-1_localfield.nii",
        **{
            "sub-1_run-1_localfield": {"EchoTime": 1, "Units": "Hz"},
            "sub-1__anat__sub-1_localfield": {"EchoTime": 2, "A": 2},
            "sub-1__anat__sub-1_run-1_localfield": {"A": 3},
            "sub-1__anat__sub-1_run-2_localfield": {"A": 4, "EchoTime": 4},
            "other__a__b__sub-1_run-1_localfield": {"A": 5, "EchoTime": 5},
        },
    )
    (field,) = tree.local_fields
    content, nearest = tree.metadata(field)
    assert content == {"EchoTime": 2, "Units": "Hz", "A": 3}
    assert nearest.name == "sub-1_run-1_localfield.json"


def test_the_nearest_direction_goes_first_by_either_name(tmp_path):
    tree = tree_of(
        tmp_path,
        "sub-1/anat/sub-1_localfield.nii",
        localfield={"B0Direction": [0, 0, 1], "Units": "Hz"},
        **{"sub-1__anat__sub-1_localfield": {"B0_dir": [0, 1, 0]}},
    )
    (field,) = tree.local_fields
    assert tree.metadata(field)[0] == {"B0_dir": [0, 1, 0], "Units": "Hz"}


def test_null_says_as_little_as_nothing(tmp_path):
    """Some programs write it for what they do not know."""
    near = "sub-1__anat__sub-1_localfield"
    null = {"Units": None, "B0Direction": None, "B0_dir": None, "EchoTime": None}
    for name, above in (("a", {}), ("b", {"Units": "Hz", "B0_dir": [0, 1, 0]})):
        sidecars = {"localfield": above, near: null}
        tree = tree_of(tmp_path / name, "sub-1/anat/sub-1_localfield.nii", **sidecars)
        (field,) = tree.local_fields
        assert tree.metadata(field)[0] == above


@pytest.mark.parametrize(("described", "units"), [(True, "ppm"), (False, "Hz")])
def test_a_dataset_inherits_nothing_of_the_one_it_lies_in(tmp_path, described, units):
    sidecars = {
        "fieldmap-local": {"Units": "Hz"},
        "derivatives__a__fieldmap-local": {} if described else {"A": 1},
    }
    if described:
        sidecars["derivatives__a__dataset_description"] = {"Name": "a"}
        sidecars["derivatives__a__fieldmap-local"] = {"Units": "ppm"}
    name = "derivatives/a/sub-1/anat/sub-1_fieldmap-local.nii"
    tree = tree_of(tmp_path, name, **sidecars)
    (field,) = tree.local_fields

    def metadata(tree):
        message = "^fieldmap-local.json: does not count in derivatives/a"
        told = pytest.warns(UserWarning, match=message)
        with told if described else contextlib.nullcontext():
            return tree.metadata(field)[0]

    assert metadata(tree)["Units"] == units
    (tree.folder / "derivatives" / "a" / "fieldmap-local.json").unlink()
    content = metadata(type(tree)(tree.folder))
    assert content == ({} if described else {"Units": "Hz"})


def test_sessions_without_images_count(tmp_path):
    (tmp_path / "sub-1" / "ses-b").mkdir(parents=True)
    (tmp_path / "code" / "sub-2" / "ses-a").mkdir(parents=True)
    tree = tree_of(tmp_path, "sub-1/ses-a/anat/sub-1_ses-a_localfield.nii")
    assert tree.sessions == [("1", "a"), ("1", "b")]


def test_a_field_beside_the_sessions(tmp_path):
    names = ("anat/sub-1", "ses-a/anat/sub-1_ses-a")
    tree = tree_of(tmp_path, *(f"sub-1/{name}_localfield.nii" for name in names))
    assert tree.sessions == [("1", ""), ("1", "a")]


def test_a_pickle_in_a_dataset_is_not_read(tmp_path):
    (tmp_path / ".ancpbids-dataset.pickle").write_bytes(b"cos\nsystem\n.")
    assert tree_of(tmp_path, "sub-1/sub-1_localfield.nii").local_fields


@pytest.mark.parametrize("version", [1.8, None, "9.9", []])
def test_the_version_of_bids_does_not_matter(tmp_path, version):
    description = {"Name": "a", "BIDSVersion": version}
    name = "sub-1/sub-1_localfield.nii"
    assert tree_of(tmp_path, name, dataset_description=description).local_fields


def test_a_description_that_is_a_link_to_nothing_is_named(tmp_path):
    from spinet_tf.errors import InputError

    (tmp_path / "dataset_description.json").symlink_to(".git/annex/objects/none")
    told = "dataset_description.json: cannot be read, it is a link that leads nowhere"
    with pytest.raises(InputError, match=told):
        tree_of(tmp_path)


def planned(tree, dataset, **flags):
    from spinet_cli.bids_plan import plan_scans

    flags = {
        **{"participant_label": None, "session_label": None, "report": False},
        **{"field_units": "ppm", "b0": None, "te": None, **flags},
    }
    return plan_scans(tree, SimpleNamespace(**flags), dataset)


def test_what_a_sidecar_takes_over(tmp_path):
    stem = "sub-1_space-T1w_localfield"
    names = (f"sub-1/{stem}.nii", "sub-1/sub-1_mask.nii")
    flags = {"field_units": "rad", "b0": 3.0, "te": 0.02}
    tree = tree_of(tmp_path / "a", *names, **{f"sub-1__{stem}": {"Resolution": "low"}})
    (scan,) = planned(tree, tmp_path / "maps", **flags)
    assert tuple(scan.task.units) == ("rad", 3.0, 0.02)
    assert scan.task.bids["Resolution"] == "low"
    assert scan.task.bids["SpatialReference"] == f"bids:input:sub-1/{stem}.nii"
    sidecar = {f"sub-1__{stem}": {"SpatialReference": "T1w.nii"}}
    (scan,) = planned(tree_of(tmp_path / "b", *names, **sidecar), tmp_path / "maps")
    assert scan.task.bids["SpatialReference"] == "T1w.nii"
    sidecar = {f"sub-1__{stem}": {"SpatialReference": 3}}
    (scan,) = planned(tree_of(tmp_path / "c", *names, **sidecar), tmp_path / "maps")
    assert "expected SpatialReference to be text" in scan.problem


@pytest.mark.parametrize("flag", [{"b0": 3.0}, {"te": 0.02}])
def test_either_flag_of_other_units_is_too_much_for_ppm(tmp_path, flag):
    tree = tree_of(tmp_path, "sub-1/sub-1_localfield.nii", "sub-1/sub-1_mask.nii")
    (scan,) = planned(tree, tmp_path / "maps", **flag)
    assert "names no Units" in scan.problem


def test_a_spatial_reference_may_be_texts_by_name(tmp_path):
    names = ("sub-1/sub-1_localfield.nii", "sub-1/sub-1_mask.nii")
    wanted = {"head": "T1w.nii", "neck": "T2w.nii"}
    sidecar = {"sub-1__sub-1_localfield": {"SpatialReference": wanted}}
    (scan,) = planned(tree_of(tmp_path, *names, **sidecar), tmp_path / "maps")
    assert scan.task.bids["SpatialReference"] == wanted


def test_a_session_without_a_field_is_told_by_its_name(tmp_path):
    (tmp_path / "sub-1" / "ses-b").mkdir(parents=True)
    tree = tree_of(tmp_path, "sub-1/ses-a/anat/sub-1_ses-a_localfield.nii")
    names = [scan.name for scan in planned(tree, tmp_path / "maps")]
    assert names == ["sub-1_ses-a", "sub-1_ses-b"]
