"""Which NIfTI files belong together."""

import nibabel
import numpy as np
import pytest

from datasets.qsm_cosmos.nifti_layout import NiftiFolder
from datasets.qsm_cosmos.scan_folder import checked_scans
from datasets.qsm_cosmos.shared_by_tests import SUBJECTS, anat
from spinet_tf.errors import InputError
from spinet_tf.nifti import read_volume


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


def with_codes(path, sform_code, qform_code):
    """Changes what a file says its affine leads to."""
    image = nibabel.load(path)
    image = nibabel.Nifti1Image(image.get_fdata(), image.affine)
    image.set_sform(image.affine, sform_code)
    image.set_qform(image.affine, qform_code)
    image.to_filename(path)


@pytest.mark.parametrize("bare", [("field", "mask"), ("field", "chi"), ("field",)])
def test_a_field_without_codes_lies_where_its_map_or_mask_does(folder, bare):
    kinds = {"field": "fieldmap", "chi": "Chimap", "mask": "mask"}
    files = anat(folder, SUBJECTS[1])
    paths = {name: next(files.glob(f"*_{kinds[name]}.nii.gz")) for name in kinds}
    (scan,) = NiftiFolder(folder).scans("sub-02")
    expected = scan.read()
    for name in bare:
        with_codes(paths[name], 0, 0)
    found, alone = scan.read(), read_volume(paths["field"]).b0_direction
    assert np.abs(expected.b0_direction - alone).max() > 0.1
    np.testing.assert_allclose(found.b0_direction, expected.b0_direction, atol=1e-6)
    np.testing.assert_allclose(found.voxel_size, expected.voxel_size, rtol=1e-6)


def test_scans_whose_b0_is_assumed_are_counted(folder, recwarn):
    opened = NiftiFolder(folder)
    splits = {"train": ["sub-01", "sub-02"], "test": ["sub-03"]}

    def told():
        recwarn.clear()
        checked_scans(opened, splits, bool)
        return [str(each.message) for each in recwarn]

    assert not told()
    for path in anat(folder, SUBJECTS[0]).glob("*.nii.gz"):
        with_codes(path, 0, 0)
    assert not told()  # its sidecars tell
    for path in anat(folder, SUBJECTS[1]).glob("*.nii.gz"):
        with_codes(path, 0, 0)
    template = 4
    for path in anat(folder, SUBJECTS[2]).glob("*.nii.gz"):
        with_codes(path, template, 0)
    assert told() == [
        f"{folder}: 2 of 4 local fields have neither B0Direction nor an orientation in"
        " the scanner, B0 is assumed along the z axis of their affine"
    ]
    for path in anat(folder, SUBJECTS[2]).glob("*.nii.gz"):
        with_codes(path, template, 1)
    assert [line.split(": ")[1][:6] for line in told()] == ["1 of 4"]
