"""NIfTI files that cannot be opened, or are compressed and not called so."""

import errno
import gzip
import os

import nibabel
import numpy as np
import pytest

from spinet_tf import nifti
from spinet_tf.nifti import read_mask, read_volume
from tests.command_line import refused as refused_by_command
from tests.nifti_files import DATA, refused, write_nifti

NIFTI = (nibabel.Nifti1Image, nibabel.Nifti2Image)


@pytest.mark.parametrize("image_class", NIFTI)
def test_a_gzip_file_that_is_called_nii(tmp_path, image_class):
    whole = write_nifti(tmp_path / "a.nii.gz", image_class=image_class).read_bytes()
    (tmp_path / "a.nii").write_bytes(whole)
    told = "expected a .nii file, it is compressed; name it .nii.gz"
    assert refused(tmp_path / "a.nii") == told
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").data, DATA)


@pytest.mark.parametrize("image_class", NIFTI)
def test_a_plain_file_that_is_called_gz(tmp_path, image_class):
    whole = write_nifti(tmp_path / "a.nii", image_class=image_class).read_bytes()
    (tmp_path / "A.NII.GZ").write_bytes(whole)
    told = "expected a .nii.gz file, it is not compressed; name it .nii"
    assert refused(tmp_path / "A.NII.GZ", read_mask) == told
    (tmp_path / "twice.nii.gz").write_bytes(gzip.compress(gzip.compress(whole)))
    assert refused(tmp_path / "twice.nii.gz") == "not a NIfTI file"


@pytest.mark.parametrize("name", ["field.nii.gz", "field.nii"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_a_file_that_cannot_be_opened(flags, tmp_path, monkeypatch, name, code):
    def fail(path):
        raise OSError(code, os.strerror(code), path)

    field = write_nifti(tmp_path / name)
    monkeypatch.setattr(nifti, "_open", fail)
    refused_by_command(
        *(tmp_path, f"{name}: cannot be read: {os.strerror(code)}$", "reconstruct"),
        **{**flags, "field": field},
    )
