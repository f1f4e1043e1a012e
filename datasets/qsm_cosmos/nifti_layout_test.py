"""Which NIfTI files belong together."""

import pytest

from datasets.qsm_cosmos.nifti_layout import NiftiFolder
from spinet_tf.errors import InputError


def test_a_subject_of_nifti_files_whose_name_begins_another(tmp_path):
    for name in ("sub-1", "sub-10"):
        (tmp_path / name / "anat").mkdir(parents=True)
        for kind in ("local_fieldmap", "cosmos_Chimap", "brain_mask"):
            (tmp_path / name / "anat" / f"{name}_desc-{kind}.nii.gz").touch()
    opened = NiftiFolder(tmp_path)
    assert [scan.name for scan in opened.scans("sub-1")] == ["sub-1"]
    assert [scan.name for scan in opened.scans("sub-10")] == ["sub-10"]


def test_a_map_without_a_field_is_told_of(tmp_path):
    for session in ("1", "2"):
        anat = tmp_path / "sub-1" / f"ses-{session}" / "anat"
        anat.mkdir(parents=True)
        kinds = ("local_fieldmap", "cosmos_Chimap")[int(session) - 1 :]
        for kind in kinds:
            (anat / f"sub-1_ses-{session}_desc-{kind}.nii.gz").touch()
    with pytest.raises(InputError, match="no local field, expected .*sub-1_ses-2_desc"):
        NiftiFolder(tmp_path).scans("sub-1")


def test_fields_of_two_sessions_may_share_a_map(tmp_path):
    (tmp_path / "sub-1" / "anat").mkdir(parents=True)
    (tmp_path / "sub-1" / "anat" / "sub-1_desc-cosmos_Chimap.nii.gz").touch()
    for session in ("1", "2"):
        anat = tmp_path / "sub-1" / f"ses-{session}" / "anat"
        anat.mkdir(parents=True)
        for kind in ("local_fieldmap", "brain_mask"):
            (anat / f"sub-1_ses-{session}_desc-{kind}.nii.gz").touch()
    first, second = NiftiFolder(tmp_path).scans("sub-1")
    for scan in (first, second):
        with pytest.raises(InputError, match="several local fields are registered"):
            scan.read()


def test_a_map_that_is_not_cosmos_needs_no_field(tmp_path):
    for session, kind in (("1", "desc-local_fieldmap"), ("2", "Chimap")):
        anat = tmp_path / "sub-1" / f"ses-{session}" / "anat"
        anat.mkdir(parents=True)
        (anat / f"sub-1_ses-{session}_{kind}.nii.gz").touch()
    (scan,) = NiftiFolder(tmp_path).scans("sub-1")
    assert scan.name == "sub-1_ses-1"
